package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/internal/tune"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// newLive holds the commands for the numbers that change while services run.
func newLive() *cobra.Command {
	c := &cobra.Command{
		Use:   "live",
		Short: "Read and change the live configuration of services",
		Long: `Read and change what may change while a service runs: weights, splits between
versions, timeouts, retries, limits and faults (docs/live.md). What is written is
in force within a second, in every process.

It joins the development mesh in the data folder, or the one that FAIRLEAD_MESH_*
variables name, as the part "operator": in production give it a certificate of
that name.`,
	}
	var data string
	var asJSON bool
	c.PersistentFlags().StringVar(&data, "data", ".fairlead", "data folder of the development mesh")
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	run := func(do func(ctx context.Context, t tune.Tuner, c *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			operator, err := visitAsOperator(data, c.Flags().Changed("data"), c.ErrOrStderr())
			if err != nil {
				return err
			}
			defer operator.close()
			t := tune.Tuner{
				Store: operator.registry.Live(), Served: operator.served,
				Out: c.OutOrStdout(), Err: c.ErrOrStderr(), JSON: asJSON,
			}
			return explained(do(c.Context(), t, c, args))
		}
	}
	c.AddCommand(&cobra.Command{
		Use:   "get [service]",
		Short: "Show what a service has, or which services have any",
		Args:  cobra.MaximumNArgs(1),
		RunE: run(func(ctx context.Context, t tune.Tuner, _ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return t.List(ctx)
			}
			return t.Get(ctx, args[0])
		}),
	}, &cobra.Command{
		Use:   "set <service> <file> | - | <field>=<value> ...",
		Short: "Replace it by a file or standard input, or set some fields",
		Example: `  fairlead live set fairlead.social.v1.SocialService split.v1.4.0=5
  fairlead live set fairlead.social.v1.SocialService split.v1.4.0= timeouts.ListTimeline=800ms
  fairlead live get fairlead.social.v1.SocialService > live.json
  fairlead live set fairlead.social.v1.SocialService live.json`,
		Args: cobra.MinimumNArgs(2),
		RunE: run(func(ctx context.Context, t tune.Tuner, c *cobra.Command, args []string) error {
			if len(args) > 2 || strings.Contains(args[1], "=") {
				return t.Edit(ctx, args[0], args[1:])
			}
			document, err := readDocument(args[1], c.InOrStdin())
			if err != nil {
				return err
			}
			return t.Replace(ctx, args[0], document)
		}),
	}, &cobra.Command{
		Use:   "clear <service>",
		Short: "Take everything out, so that the defaults hold",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, t tune.Tuner, _ *cobra.Command, args []string) error {
			return t.Clear(ctx, args[0])
		}),
	})
	return c
}

// served says what is served now, and what is known of one service.
func (o *operator) served(ctx context.Context, service string) (tune.Served, error) {
	var is tune.Served
	list, err := o.instances(ctx)
	if err != nil {
		return is, err
	}
	var digests []string
	for _, i := range list {
		is.Services = append(is.Services, i.Service)
		if i.Service == service {
			is.Versions = append(is.Versions, i.Version)
			digests = append(digests, i.Digest)
		}
	}
	is.Services, is.Versions = unique(is.Services), unique(is.Versions)
	is.Methods = o.methods(ctx, service, unique(digests))
	return is, nil
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// instances waits for the first list.
func (o *operator) instances(ctx context.Context) (list []discovery.Instance, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	answered := false
	o.registry.Watch(ctx, "", func(all []discovery.Instance) {
		list, answered = all, true
		cancel()
	})
	if !answered {
		return nil, ctx.Err()
	}
	return list, nil
}

// methods are those of all versions of a service; none when one cannot be read.
func (o *operator) methods(ctx context.Context, service string, digests []string) []string {
	var names []string
	for _, digest := range digests {
		image, err := o.registry.Descriptors(ctx, digest)
		if err != nil {
			return nil
		}
		set, err := descriptor.Parse(image)
		if err != nil || set.Service(service) == nil {
			return nil
		}
		all := set.Service(service).Methods()
		for i := range all.Len() {
			names = append(names, string(all.Get(i).Name()))
		}
	}
	return unique(names)
}

// readDocument reads a file, or standard input for "-", and no more of it than a
// document may have.
func readDocument(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w (name a file, - for standard input, or field=value)", err)
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, live.MaxBytes+1))
}
