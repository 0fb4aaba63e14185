package service

import "github.com/fairlead-mesh/fairlead/pkg/host"

// JobProgram is what Job runs.
func JobProgram[C any](name string, do Do[C]) host.Program { return job(name, do) }
