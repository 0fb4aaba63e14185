package balance

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/connectivity"
)

func members(n int) []Member {
	list := make([]Member, n)
	for i := range list {
		list[i] = Member{Instance: fmt.Sprintf("r%03d", i), Address: fmt.Sprintf("10.0.0.%d:80", i), Connectivity: connectivity.Ready}
	}
	return list
}

// BenchmarkPick is one choice and its end. The bar is 300 ns and no allocation.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{3, 30, 300} {
		p := NewCluster(Options{}).Picker(members(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var call Call
			attempt := Attempt{Idempotent: true}
			for b.Loop() {
				if _, ok := p.Pick("/a.v1.AService/Get", &attempt, &call); !ok {
					b.Fatal("nobody was chosen")
				}
				call.Done(Outcome{})
			}
		})
		b.Run(fmt.Sprint(n)+"-parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var call Call
				attempt := Attempt{Idempotent: true}
				for pb.Next() {
					p.Pick("/a.v1.AService/Get", &attempt, &call)
					call.Done(Outcome{})
				}
			})
		})
	}
}
