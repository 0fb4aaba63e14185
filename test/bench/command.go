package bench

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
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Main is the command line. It returns the exit code, 0 when all bars were met.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, args, os.Stdout, os.Stderr); {
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
	only    *regexp.Regexp
	windows bool
	json    bool
	out     string
	profile string
	picks   int
}

func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	s, err := parse(args, progress)
	if err != nil {
		return err
	}
	cases := Cases()
	for i := range cases {
		cases[i].Windows = s.windows
	}
	cases = slices.DeleteFunc(cases, func(c Case) bool { return !s.only.MatchString(c.String()) })
	if len(cases) == 0 {
		return fmt.Errorf("--only: no case matches %q, they are %v", s.only, Cases())
	}
	if s.Dir, err = os.MkdirTemp("", "fairlead-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.Dir)) }()
	s.Progress = progressTo(progress)
	if s.profile != "" {
		runtime.MemProfileRate = 1 << 16 // an eighth of the usual, so that less is left to chance
		return Profile(ctx, cases[0], s.Options, s.profile)
	}
	return s.measure(ctx, cases, out, progress)
}

func (s *settings) measure(ctx context.Context, cases []Case, out, progress io.Writer) error {
	r := &Report{Machine: describe(), Pairs: s.Pairs, Window: s.Window.String(), Seed: s.Seed}
	var err error
	if r.Results, err = Run(ctx, cases, s.Options); err != nil {
		return err
	}
	r.Comparisons = compareAll(r.Results)
	if s.picks > 0 {
		s.Progress("picks, %d times", s.picks)
		if r.Picks, r.picksOutput, err = Picks(ctx, s.picks); err != nil {
			return err
		}
	}
	s.Progress("%s", "")
	return s.show(r, out)
}

// show prints and keeps a report.
func (s *settings) show(r *Report, out io.Writer) error {
	if s.json {
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else {
		r.Print(out)
	}
	if s.out != "" {
		if err := r.write(s.out); err != nil {
			return err
		}
	}
	if !r.Passes() {
		return errBars
	}
	return nil
}

func parse(args []string, output io.Writer) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("bench-mesh", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.IntVar(&s.Pairs, "pairs", 100, "how often each case is measured on all contenders")
	flags.DurationVar(&s.Window, "window", 100*time.Millisecond, "how long one of them is measured at a time")
	flags.Uint64Var(&s.Seed, "seed", rand.Uint64(), "chooses the order within each pair")
	only := flags.String("only", "", "measure the cases that this regular expression matches")
	flags.BoolVar(&s.windows, "windows", false, "give plain the fixed windows of the mesh as well")
	flags.IntVar(&s.picks, "picks", 6, "how often the choice of an endpoint is measured; 0 for never")
	flags.BoolVar(&s.json, "json", false, "print one JSON object")
	flags.StringVar(&s.out, "out", "", "also write the samples to a file for benchstat")
	flags.StringVar(&s.profile, "profile", "", "only write profiles of the first case to a folder")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unknown argument %q, see --help", flags.Arg(0))
	}
	if s.Pairs < 1 || s.Window < 10*time.Millisecond {
		return nil, errors.New("want at least one of --pairs, and a --window of 10ms")
	}
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	return s, nil
}
