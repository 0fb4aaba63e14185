package live_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/live/memory"
)

// A document is taken whole, or not at all.
func ExampleParse() {
	c, err := live.Parse([]byte(`{"version": 7, "split": {"v2": 5}, "timeouts": {"Greet": "800ms"}}`))
	fmt.Println(c.Version, c.Split["v2"], c.Timeouts["Greet"], err)
	_, err = live.Parse([]byte(`{"version": 8, "split": {"v2": 500}}`))
	fmt.Println(err)
	// Output:
	// 7 5 800ms <nil>
	// split.v2: 500 is not a number from 0 to 100
}

// Edit counts the version up.
func ExampleEdit() {
	c, err := live.Edit([]byte(`{"version": 7, "split": {"v2": 5}}`), []string{"split.v2=50", "retries.ratio=0.1"})
	fmt.Println(c.Version, c.Split["v2"], *c.RetryRatio, err)
	// Output: 8 50 0.1 <nil>
}

// A part follows the numbers of a service. mesh.Config.Live takes a Watcher and
// does this for every service that is called. On etcd, etcd.Registry.Live is the
// source.
func ExampleWatcher() {
	source := memory.New()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := source.Put(ctx, live.Document{
		Service: "acme.greeter.v1.GreeterService", Value: []byte(`{"version": 1, "weights": {"greeter-1": 0}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	watcher := live.NewWatcher(live.Options{Source: source, Logger: slog.New(slog.DiscardHandler)})
	watcher.Watch(ctx, "acme.greeter.v1.GreeterService", func(c live.Config) {
		fmt.Println("version", c.Version, "weights", c.Weights)
		cancel() // Watch returns when its context ends
	})
	// Output: version 1 weights map[greeter-1:0]
}
