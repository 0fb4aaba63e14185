package up

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/fairlead-mesh/fairlead/internal/operator"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/probe"
)

// ports are those for the people and machines that run the system.
type ports struct {
	probe    *probe.Probe
	probeAt  string
	operator *operator.Operator
	opAt     net.Addr
}

// startProbe opens the probe port early: it says that the system is starting.
func (s *System) startProbe(context.Context) error {
	l, err := net.Listen("tcp", s.options.Probe)
	if err != nil {
		return fmt.Errorf("probe port (--probe): %w", err)
	}
	s.ports.probe, s.ports.probeAt = probe.New(s.host.Telemetry.Handler()), l.Addr().String()
	go s.ports.probe.Serve(l) // until Close
	s.closers = append(s.closers, func(context.Context) error { return s.ports.probe.Close() })
	s.started(&part{"probe", "healthz, readyz, metrics", s.ports.probeAt})
	return nil
}

// startOperator opens the console.
func (s *System) startOperator(context.Context) error {
	o, err := operator.New(operator.Options{
		TokenFile: filepath.Join(s.options.Data, "operator.token"), Source: source{s}, Version: host.Version(),
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.options.Operator)
	if err != nil {
		return fmt.Errorf("operator port (--operator): %w", err)
	}
	s.ports.operator, s.ports.opAt = o, l.Addr()
	s.closers = append(s.closers, func(context.Context) error { return o.Close() })
	s.started(&part{"operator", "console", l.Addr().String()})
	go o.Serve(l) // until Close; it shows what has started
	return nil
}
