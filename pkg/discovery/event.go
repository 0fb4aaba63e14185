package discovery

// Event is something that happened to discovery and is worth counting. The values
// below are all that there are, so that they can be the label of a metric.
type Event string

const (
	// RecordRefused is a record that cannot be read or says what cannot be.
	RecordRefused Event = "record_refused"
	// IdentityRefused is an instance whose identity may not serve its service.
	IdentityRefused Event = "identity_refused"
	// AddressRefused is an instance at an address that leads back to the reader, or
	// to a loopback address of another machine.
	AddressRefused Event = "address_refused"
	// Shrunk is a service that has lost more than half of its instances within 10 s
	// without a goodbye.
	Shrunk Event = "shrunk"
	// Missed is an instance that is still called although the registry has it no
	// more, and Dropped is one that is not, because it cannot be reached either.
	Missed  Event = "missed"
	Dropped Event = "dropped"
	// Unregistered is this process losing its lease, and with it what it has
	// registered.
	Unregistered Event = "unregistered"
	// WatchStale is a watch that etcd has not kept up to date.
	WatchStale Event = "watch_stale"
	// SnapshotUsed is a list that came from disk because the registry was away, and
	// SnapshotRefused is a file, or an entry of one, that cannot be used.
	SnapshotUsed    Event = "snapshot_used"
	SnapshotRefused Event = "snapshot_refused"
)

// Count is told of each event. It must be fast and must not block. A nil Count
// counts nothing.
type Count func(Event)

// Of counts one event.
func (c Count) Of(e Event) {
	if c != nil {
		c(e)
	}
}
