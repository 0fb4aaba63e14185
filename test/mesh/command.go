package mesh

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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-mesh/fairlead/test/chaos"
	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// Main is the command line: it runs scenarios, prints the table, and returns the exit
// code, 0 when all bars were met.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch err := command(ctx, args, os.Stdout); {
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
	json      bool
	keep      bool
	scenarios []Scenario
}

// The defaults. Two cores bear 2,000 calls/s, their servers and an etcd, when nothing
// else runs.
const (
	defaultRate   = 2_000
	shortRate     = 100
	defaultOutage = 10 * time.Minute
)

func parse(args []string) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("meshchaos", flag.ContinueOnError)
	only := flags.String("only", "", "numbers of the scenarios to run, as 1,3; empty for all")
	flags.IntVar(&s.Rate, "rate", 0, "calls per second; 0 for 2,000, or 100 with --quick")
	flags.BoolVar(&s.Short, "quick", false, "run some scenarios for a moment, and judge counts only")
	flags.DurationVar(&s.Outage, "outage", defaultOutage, "how long etcd is away the second time")
	flags.DurationVar(&s.Duration, "nemesis", 0, "run the nemesis instead, for so long")
	flags.Uint64Var(&s.Seed, "seed", rand.Uint64(), "chooses what the nemesis does, when and to whom")
	flags.BoolVar(&s.json, "json", false, "print the results as JSON, one line for each scenario")
	flags.BoolVar(&s.keep, "keep", false, "keep the data and logs of all processes")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q, see --help", flags.Arg(0))
	}
	if s.Rate == 0 {
		s.Rate = defaultRate
		if s.Short {
			s.Rate = shortRate
		}
	}
	if s.Duration > 0 {
		s.scenarios = []Scenario{nemesis}
		return s, nil
	}
	var err error
	s.scenarios, err = chosen(*only, s.Short)
	return s, err
}

// chosen finds the scenarios to run.
func chosen(only string, short bool) ([]Scenario, error) {
	all := Scenarios()
	if only == "" {
		return slices.DeleteFunc(all, func(s Scenario) bool { return short && !s.Quick }), nil
	}
	var list []Scenario
	for text := range strings.SplitSeq(only, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		i := slices.IndexFunc(all, func(s Scenario) bool { return s.Number == n })
		if err != nil || i < 0 {
			return nil, fmt.Errorf("--only: there is no scenario %q, see --help", text)
		}
		list = append(list, all[i])
	}
	return list, nil
}

func usage(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprint(out, "meshchaos [flags]\n\n")
	for _, s := range Scenarios() {
		fmt.Fprintf(out, "  %2d  %s\n", s.Number, s.Name)
	}
	fmt.Fprintln(out)
	flags.PrintDefaults()
}

func command(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.Dir, err = os.MkdirTemp("", "mesh-"); err != nil {
		return err
	}
	progress := chaos.NewProgress(os.Stderr)
	err = s.all(ctx, progress, out)
	if err != nil || s.keep {
		progress.Say("data and logs are in %s", s.Dir)
		return err
	}
	return os.RemoveAll(s.Dir)
}

// all runs the scenarios one after the other.
func (s *settings) all(ctx context.Context, progress chaos.Progress, out io.Writer) error {
	var programs lab.Programs
	progress.Say("building the programs")
	if s.Duration > 0 {
		progress.Say("the nemesis for %v, --seed %d", s.Duration, s.Seed)
	}
	if err := programs.Build(harness.NewBuilder(s.Dir)); err != nil {
		return err
	}
	if !s.json {
		printHead(out)
	}
	var results []*Result
	for _, scenario := range s.scenarios {
		r := scenario.Try(ctx, s.Options, programs, progress)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		results = append(results, r)
		if err := s.show(out, r); err != nil {
			return err
		}
	}
	if !s.json {
		printSum(out, results)
	}
	if slices.ContainsFunc(results, func(r *Result) bool { return !r.Passes() }) {
		return errBars
	}
	return nil
}

func (s *settings) show(out io.Writer, r *Result) error {
	if s.json {
		return json.NewEncoder(out).Encode(r)
	}
	r.Print(out)
	return nil
}
