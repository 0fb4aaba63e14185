package embedded

import (
	"context"
	"log/slog"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// harmless are errors that etcd logs on every first start.
var harmless = []string{
	"failed to update storage version",
}

// newZap returns the logger that etcd writes to, which hands its lines on to
// slog. A fatal line panics instead of ending the process, so that StartEtcd
// can tell what is wrong.
func newZap(closing context.Context, log *slog.Logger) *zap.Logger {
	core := &slogCore{closing: closing, log: log.With("component", "etcd")}
	return zap.New(core, zap.WithFatalHook(zapcore.WriteThenPanic))
}

// slogCore writes zap's entries to slog.
type slogCore struct {
	closing context.Context
	log     *slog.Logger
	fields  []zapcore.Field
}

// Enabled says whether an entry of that level can be of use to the logger.
func (c *slogCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), level(l))
}

// With returns a core that adds fields to each entry.
func (c *slogCore) With(fields []zapcore.Field) zapcore.Core {
	return &slogCore{c.closing, c.log, append(slices.Clip(c.fields), fields...)}
}

// Check adds the core to an entry that it will write.
func (c *slogCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return checked
	}
	return checked.AddCore(e, c)
}

// Write writes an entry: what is harmless at debug level, and so is what etcd
// complains of while it is being closed.
func (c *slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	l := level(e.Level)
	if c.closing.Err() != nil || slices.Contains(harmless, e.Message) {
		l = slog.LevelDebug
	}
	ctx := context.Background()
	if !c.log.Enabled(ctx, l) {
		return nil
	}
	c.log.LogAttrs(ctx, l, e.Message, attrs(c.fields, fields)...)
	return nil
}

// Sync has nothing to do: slog does not buffer.
func (c *slogCore) Sync() error { return nil }

// level maps etcd's errors to warnings, since none of them is the operator's to
// act on, and the rest to debug.
func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// attrs renders zap's fields.
func attrs(lists ...[]zapcore.Field) []slog.Attr {
	var out []slog.Attr
	for _, f := range slices.Concat(lists...) {
		m := zapcore.NewMapObjectEncoder()
		f.AddTo(m)
		for k, v := range m.Fields {
			out = append(out, slog.Any(k, v))
		}
	}
	return out
}
