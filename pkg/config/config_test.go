package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

type social struct {
	Database string        `config:"database" default:"sqlite:social.db" secret:"url" help:"where posts are stored"`
	Key      string        `config:"key" secret:"true" help:"signs page tokens"`
	MaxAge   time.Duration `config:"max-age" default:"30s" help:"how long a page may be cached"`
	Workers  int           `config:"workers" default:"4"`
	Fast     bool          `config:"fast" default:"true"`
	Zones    []string      `config:"zones"`
	Port     int           `config:"port"`
	Clock    func() time.Time
}

func load(t *testing.T, into any, env Env, args ...string) ([]Setting, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags(flags, "social", into)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load("social", into, env, flags)
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	secret := file(t, "  from a file\n")
	defaults := social{Database: "sqlite:social.db", MaxAge: 30 * time.Second, Workers: 4, Fast: true}
	cases := map[string]struct {
		env  Env
		args []string
		want func(*social)
	}{
		"defaults": {want: func(*social) {}},
		"environment": {
			env:  Env{"FAIRLEAD_SOCIAL_MAX_AGE= 2m ", "FAIRLEAD_SOCIAL_FAST=false", "FAIRLEAD_SOCIAL_ZONES=a, b,,c"},
			want: func(s *social) { s.MaxAge, s.Fast, s.Zones = 2*time.Minute, false, []string{"a", "b", "c"} },
		},
		"another part":     {env: Env{"FAIRLEAD_WORKERS=9", "FAIRLEAD_EDGE_WORKERS=9", "SOCIAL_WORKERS=9"}, want: func(*social) {}},
		"flags":            {args: []string{"--social-workers=7", "--social-fast=0"}, want: func(s *social) { s.Workers, s.Fast = 7, false }},
		"a bare flag":      {args: []string{"--social-fast"}, want: func(*social) {}},
		"flags come first": {env: Env{"FAIRLEAD_SOCIAL_WORKERS=x"}, args: []string{"--social-workers=7"}, want: func(s *social) { s.Workers = 7 }},
		"an empty flag":    {env: Env{"FAIRLEAD_SOCIAL_DATABASE=x"}, args: []string{"--social-database="}, want: func(s *social) { s.Database = "" }},
		"the last counts":  {env: Env{"FAIRLEAD_SOCIAL_WORKERS=1", "FAIRLEAD_SOCIAL_WORKERS=2"}, want: func(s *social) { s.Workers = 2 }},
		"empty is not set": {env: Env{"FAIRLEAD_SOCIAL_WORKERS=", "FAIRLEAD_SOCIAL_KEY_FILE="}, want: func(*social) {}},
		"a secret file":    {env: Env{"FAIRLEAD_SOCIAL_KEY_FILE=" + secret}, want: func(s *social) { s.Key = "from a file" }},
		"a secret's flag":  {env: Env{"FAIRLEAD_SOCIAL_KEY=x"}, args: []string{"--social-key-file", secret}, want: func(s *social) { s.Key = "from a file" }},
		"a service link":   {env: Env{"FAIRLEAD_SOCIAL_PORT=tcp://10.0.0.7:8080"}, want: func(*social) {}},
		"no service link":  {env: Env{"FAIRLEAD_SOCIAL_PORT=8080"}, want: func(s *social) { s.Port = 8080 }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, want := social{}, defaults
			c.want(&want)
			if _, err := load(t, &got, c.env, c.args...); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestWhatTheStructCameWithIsTheDefault(t *testing.T) {
	got := social{Database: "sqlite:data/social.db", Workers: 9}
	settings, err := Load("social", &got, Env{"FAIRLEAD_SOCIAL_WORKERS=2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Database != "sqlite:data/social.db" || got.Workers != 2 {
		t.Errorf("got %+v", got)
	}
	if settings[0].From != "default" {
		t.Errorf("the database comes from %s", settings[0].From)
	}
}

func TestPartWithoutName(t *testing.T) {
	var up struct {
		Data string `config:"data" default:".fairlead"`
	}
	if _, err := Load("", &up, Env{"FAIRLEAD_DATA=x"}, nil); err != nil || up.Data != "x" {
		t.Errorf("data = %q, %v", up.Data, err)
	}
}

func TestErrorsSayWhatToMend(t *testing.T) {
	secret := file(t, "x")
	cases := map[string]struct {
		env  Env
		args []string
		want string
	}{
		"number":     {Env{"FAIRLEAD_SOCIAL_WORKERS=many"}, nil, `FAIRLEAD_SOCIAL_WORKERS: "many" is not a whole number`},
		"truth":      {Env{"FAIRLEAD_SOCIAL_FAST=yes"}, nil, `FAIRLEAD_SOCIAL_FAST: "yes" is not true or false`},
		"duration":   {nil, []string{"--social-max-age", "5"}, `--social-max-age: "5" is not a duration such as 250ms, 5s or 10m`},
		"empty":      {nil, []string{"--social-workers="}, `--social-workers: "" is not a whole number`},
		"both":       {Env{"FAIRLEAD_SOCIAL_KEY=x", "FAIRLEAD_SOCIAL_KEY_FILE=" + secret}, nil, "FAIRLEAD_SOCIAL_KEY and FAIRLEAD_SOCIAL_KEY_FILE are both set: keep one of them"},
		"no file":    {Env{"FAIRLEAD_SOCIAL_KEY_FILE=/nowhere"}, nil, "FAIRLEAD_SOCIAL_KEY_FILE: open /nowhere: no such file or directory"},
		"all faults": {Env{"FAIRLEAD_SOCIAL_FAST=yes", "FAIRLEAD_SOCIAL_WORKERS=1.5"}, nil, "FAIRLEAD_SOCIAL_WORKERS: \"1.5\" is not a whole number\nFAIRLEAD_SOCIAL_FAST: \"yes\" is not true or false"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, new(social), c.env, c.args...)
			if err == nil || err.Error() != c.want {
				t.Errorf("error = %v\nwant    %s", err, c.want)
			}
		})
	}
}

func TestSecretsAreHidden(t *testing.T) {
	var into struct {
		Database string   `config:"database" secret:"url" default:"postgres://app:hunter2@db/x"`
		DSN      string   `config:"dsn" secret:"url"`
		Key      string   `config:"key" secret:"true"`
		Keys     []string `config:"keys" secret:"true"`
		Count    int      `config:"count" secret:"true"`
	}
	env := Env{
		"FAIRLEAD_SOCIAL_DATABASE=postgres://app:hunter2@db/social?password=hunter2",
		"FAIRLEAD_SOCIAL_DSN=host=db password=hunter2",
		"FAIRLEAD_SOCIAL_KEY=hunter2", "FAIRLEAD_SOCIAL_KEYS=hunter2,hunter2", "FAIRLEAD_SOCIAL_COUNT=hunter2",
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags(flags, "social", &into)
	settings, err := Load("social", &into, env, flags)
	if err == nil || into.Key != "hunter2" {
		t.Errorf("key = %q, error = %v", into.Key, err)
	}
	var shown strings.Builder
	if err := Print(&shown, settings...); err != nil {
		t.Fatal(err)
	}
	if all := shown.String() + err.Error() + flags.FlagUsages(); strings.Contains(all, "hunter2") {
		t.Errorf("shows a secret:\n%s", all)
	}
	if !strings.Contains(shown.String(), "postgres://app:xxxxx@db/social") {
		t.Errorf("hides too much:\n%s", shown.String())
	}
}

func TestPrint(t *testing.T) {
	secret := file(t, "x")
	settings, err := load(t, new(social), Env{"FAIRLEAD_SOCIAL_FAST=false", "FAIRLEAD_SOCIAL_KEY_FILE=" + secret}, "--social-zones=a,b")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Print(&b, settings...); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`FAIRLEAD_SOCIAL_DATABASE  sqlite:social.db  default
FAIRLEAD_SOCIAL_KEY       (hidden)          environment, file SECRET
FAIRLEAD_SOCIAL_MAX_AGE   30s               default
FAIRLEAD_SOCIAL_WORKERS   4                 default
FAIRLEAD_SOCIAL_FAST      false             environment
FAIRLEAD_SOCIAL_ZONES     a,b               flag
FAIRLEAD_SOCIAL_PORT      0                 default
`, "SECRET", secret)
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestUnknown(t *testing.T) {
	env := Env{
		"PATH=/bin", "FAIRLEAD_SOCIAL_WORKERS=1", "FAIRLEAD_SOCIAL_KEY_FILE=x", "FAIRLEAD_SOCIAL_WORKERS_FILE=x",
		"FAIRLEAD_SOCIAL_DATABSE=x", "FAIRLEAD_SOCIAL_DATABSE=y", "FAIRLEAD_EDGE_LISTEN=:80",
		"FAIRLEAD_EDGE_PORT=tcp://10.0.0.7:8080", "FAIRLEAD_EDGE_PORT_8080_TCP=tcp://10.0.0.7:8080",
		"FAIRLEAD_EDGE_PORT_8080_TCP_PROTO=tcp", "FAIRLEAD_EDGE_PORT_8080_TCP_PORT=8080", "FAIRLEAD_EDGE_PORT_8080_TCP_ADDR=10.0.0.7",
		"FAIRLEAD_EDGE_SERVICE_HOST=10.0.0.7", "FAIRLEAD_EDGE_SERVICE_PORT=8080", "FAIRLEAD_EDGE_SERVICE_PORT_HTTP=8080",
	}
	got := Unknown(env, Names("social", new(social)))
	want := []string{"FAIRLEAD_EDGE_LISTEN", "FAIRLEAD_SOCIAL_DATABSE", "FAIRLEAD_SOCIAL_WORKERS_FILE"}
	if !slices.Equal(got, want) {
		t.Errorf("unknown = %q, want %q", got, want)
	}
}

func TestMistakesInTheProgramPanic(t *testing.T) {
	for name, into := range map[string]any{
		"no pointer": social{},
		"unknown type": &struct {
			X float64 `config:"x"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Names("x", into)
		})
	}
}
