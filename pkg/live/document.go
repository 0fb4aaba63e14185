package live

import (
	"bytes"
	"encoding/json"
	"time"
)

// document is a Config as it is written; what has its default is left out.
type document struct {
	Version  int64              `json:"version"`
	Weights  map[string]int     `json:"weights,omitempty"`
	Split    map[string]float64 `json:"split,omitempty"`
	Timeouts map[string]string  `json:"timeouts,omitempty"`
	Retries  *retries           `json:"retries,omitempty"`
	Limit    *limit             `json:"limit,omitempty"`
	Subset   int                `json:"subset,omitempty"`
	Faults   []fault            `json:"faults,omitempty"`
}

type retries struct {
	Ratio float64 `json:"ratio"`
}

type limit struct {
	Min int `json:"min,omitempty"`
	Max int `json:"max,omitempty"`
}

type fault struct {
	Side     Side    `json:"side"`
	Method   string  `json:"method,omitempty"`
	Caller   string  `json:"caller,omitempty"`
	Instance string  `json:"instance,omitempty"`
	Percent  float64 `json:"percent"`
	Delay    string  `json:"delay,omitempty"`
	Jitter   string  `json:"jitter,omitempty"`
	Abort    string  `json:"abort,omitempty"`
	Drop     bool    `json:"drop,omitempty"`
}

// Document writes a Config as one line of JSON, from which Parse makes the same
// one.
func (c Config) Document() ([]byte, error) {
	d := document{Version: c.Version, Weights: c.Weights, Split: c.Split, Subset: c.Subset}
	if len(c.Timeouts) > 0 {
		d.Timeouts = make(map[string]string, len(c.Timeouts))
	}
	for method, timeout := range c.Timeouts {
		d.Timeouts[method] = timeout.String()
	}
	if c.RetryRatio != nil {
		d.Retries = &retries{*c.RetryRatio}
	}
	if c.Limit != (Limit{}) {
		d.Limit = &limit{c.Limit.Min, c.Limit.Max}
	}
	for _, f := range c.Faults {
		d.Faults = append(d.Faults, fault{
			f.Side, f.Method, f.Caller, f.Instance, f.Percent, written(f.Delay), written(f.Jitter), codeNames[f.Abort], f.Drop,
		})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // nobody puts it into a page, and people read it
	err := e.Encode(d)
	return bytes.TrimSpace(b.Bytes()), err
}

func written(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
