package etcd

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// layout makes the keys:
//
//	/<prefix>/instances/<service>/<instance id>   a discovery.Instance as JSON, on the lease of its process
//	/<prefix>/descriptors/<digest>                a FileDescriptorSet, gzip, on no lease
//	/<prefix>/live/<service>                      a document of package live, on no lease
type layout struct{ prefix string }

func (l layout) instance(i discovery.Instance) string {
	return l.instances(i.Service) + i.ID
}

// instances is what the keys of a service begin with, or those of all services.
func (l layout) instances(service string) string {
	if service == "" {
		return "/" + l.prefix + "/instances/"
	}
	return "/" + l.prefix + "/instances/" + service + "/"
}

func (l layout) descriptors(digest string) string {
	return "/" + l.prefix + "/descriptors/" + digest
}

// live is the key of a service's live configuration, or what the keys of all begin
// with.
func (l layout) live(service string) string {
	return "/" + l.prefix + "/live/" + service
}

// entries makes the entries that register the instances.
func (l layout) entries(instances []discovery.Instance) ([]*entry, error) {
	var all []*entry
	for _, i := range instances {
		if err := i.Valid(); err != nil {
			return nil, fmt.Errorf("instance: %w", err)
		}
		value, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		all = append(all, newEntry(register, l.instance(i), string(value)))
	}
	return all, nil
}

// read reads the instance at a key. It must be the one that the key names, or
// whoever may write one key could speak for another. Fields that are not known
// come from a newer release and do no harm.
func (l layout) read(key string, value []byte) (discovery.Instance, error) {
	var i discovery.Instance
	if err := json.Unmarshal(value, &i); err != nil {
		return i, err
	}
	if err := i.Valid(); err != nil {
		return i, err
	}
	if want := l.instance(i); want != key {
		return i, fmt.Errorf("the record belongs to %s", want)
	}
	return i, nil
}
