package mtls

import (
	"crypto/x509"
	"fmt"
	"time"
)

// checkTime compares a certificate with the clock, which may be what is wrong: a
// machine that has slept, a virtual machine that was restored, a battery that is
// empty. mend says what to do when the certificate has expired indeed.
func checkTime(what string, cert *x509.Certificate, mend string) error {
	now := time.Now()
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Errorf("%s is good from %s on, and the clock of this machine says %s: set the clock, for instance with \"timedatectl set-ntp true\"; nothing else is wrong",
			what, stamped(cert.NotBefore), stamped(now))
	case now.After(cert.NotAfter):
		return fmt.Errorf("%s has expired on %s, and the clock of this machine says %s: set the clock if that is wrong, or else %s",
			what, stamped(cert.NotAfter), stamped(now), mend)
	}
	return nil
}

func stamped(t time.Time) string { return t.UTC().Format(time.RFC3339) }
