package supervise

// State is how a child is.
type State string

// The states of a child.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Draining State = "draining"
	Down     State = "down" // until it is started again
)

// Status is how a child is at one moment.
type Status struct {
	State State
	// PID is the process, 0 when there is none.
	PID int
	// Restarts is how often it was started again.
	Restarts int
}

// Status returns how the child is now.
func (c *Child) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// enter changes the state and tells of it.
func (c *Child) enter(s State, pid int) {
	c.mu.Lock()
	c.status.State, c.status.PID = s, pid
	c.mu.Unlock()
	c.options.Changed()
}

// again counts a restart.
func (c *Child) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Restarts++
}
