package shed_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// A server that works on at most one call at a time. rpcserver does all this by
// itself: the bounds are in rpcserver.Options.Shed.
func ExampleOptions() {
	limiter := shed.New(shed.Options{Min: 1, Max: 1})
	method := limiter.Method()

	start := time.Now()
	fmt.Println("first:", method.TryAcquire())
	fmt.Println("second:", method.TryAcquire())
	priority := shed.NewPriority(criticality.Sheddable, 0)
	fmt.Println("second, after a wait:", method.Wait(context.Background(), priority, time.Millisecond))
	method.Release(start, time.Now(), shed.Done)

	state := limiter.State() // SHEDDABLE is class 0
	fmt.Println("limit", state.Limit, "running", state.Running, "refused", state.Refused[0])
	// Output:
	// first: true
	// second: false
	// second, after a wait: false
	// limit 1 running 0 refused 1
}
