package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// Main is the command line: it runs the suites that args name, one after the
// other, and returns the exit code, 0 when all bars were met.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, args, os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

// errBars is for a run that came to its end.
var errBars = errors.New("not all bars were met")

// settings are the flags.
type settings struct {
	Options
	engine string
	json   bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	suites, s, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fairlead-chaos-")
	if err != nil {
		return err
	}
	s.Programs, s.Progress = harness.NewBuilder(dir), NewProgress(os.Stderr)
	stop, err := s.choose(filepath.Join(dir, "postgres"))
	if err != nil {
		return err
	}
	defer func() {
		if err := stop(); err != nil {
			s.Progress.Say("%v", err)
		}
	}()
	for _, suite := range suites {
		err = errors.Join(err, s.suite(ctx, suite, filepath.Join(dir, suite.Name), out))
	}
	if err != nil {
		s.Progress.Say("the data is in %s", dir)
		return err
	}
	return os.RemoveAll(dir)
}

// suite runs one suite and shows what it has found.
func (s settings) suite(ctx context.Context, suite Suite, dir string, out io.Writer) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	o := s.Options
	o.Dir = dir
	o = o.or(suite.Defaults)
	result, err := suite.Run(ctx, o)
	if s.json {
		err = errors.Join(err, json.NewEncoder(out).Encode(result))
	} else {
		result.Print(out)
	}
	if err == nil && !result.Passes() {
		err = errBars
	}
	if err != nil {
		return fmt.Errorf("%s: %w", suite.Name, err)
	}
	return nil
}

// or fills in what was not said.
func (o Options) or(defaults Options) Options {
	if o.Kills == 0 {
		o.Kills = defaults.Kills
	}
	if o.Rate == 0 {
		o.Rate = defaults.Rate
	}
	if o.Outage == 0 {
		o.Outage = defaults.Outage
	}
	if o.After == 0 {
		o.After = defaults.After
	}
	return o
}

// choose takes the engine that was asked for. A PostgreSQL is started unless the
// environment names one.
func (s *settings) choose(dir string) (stop func() error, err error) {
	server := os.Getenv(harness.PostgresVariable)
	switch {
	case s.engine == harness.SQLite.Name:
		s.Engine = harness.SQLite
	case s.engine != "postgres":
		return nil, fmt.Errorf("unknown engine %q: want sqlite or postgres", s.engine)
	case server != "":
		s.Engine = harness.Postgres(server)
	default:
		s.Engine, stop, err = harness.StartPostgres(dir)
		return stop, err
	}
	return func() error { return nil }, nil
}

func parse(args []string) ([]Suite, *settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&s.engine, "engine", "sqlite", "where the services keep their data: sqlite or postgres")
	flags.Uint64Var(&s.Seed, "seed", rand.Uint64(), "chooses who does what, and when")
	flags.IntVar(&s.Kills, "kills", 0, "how often something is killed; 0 for the suite's own number")
	flags.IntVar(&s.Rate, "rate", 0, "calls per second; 0 for the suite's own number")
	flags.DurationVar(&s.Outage, "outage", 0, "how long etcd is away; 0 for the suite's own time")
	flags.DurationVar(&s.After, "after", 0, "how long the load goes on afterwards; 0 for the suite's own time")
	flags.BoolVar(&s.json, "json", false, "print the results as JSON, one line for each suite")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	suites, err := named(flags.Args())
	return suites, s, err
}

// named finds suites by their names.
func named(names []string) ([]Suite, error) {
	var list []Suite
	for _, name := range names {
		i := slices.IndexFunc(Suites(), func(s Suite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown suite %q, see --help", name)
		}
		list = append(list, Suites()[i])
	}
	if len(list) == 0 {
		return nil, errors.New("which suite? see --help")
	}
	return list, nil
}

func usage(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprint(out, "chaos [flags] SUITE...\n\n")
	for _, s := range Suites() {
		fmt.Fprintf(out, "  %s%s%s\n", s.Name, strings.Repeat(" ", 14-len(s.Name)), s.Summary)
	}
	fmt.Fprintln(out)
	flags.PrintDefaults()
}
