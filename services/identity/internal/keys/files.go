package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds what is published. Two are enough for a rotation.
const maxKeys = 16

const blockType = "PRIVATE KEY" // PKCS #8

// load reads the keys in a folder, the newest first: the file whose name sorts
// last. File times do not count, since copies and mounted secrets change them.
func load(dir string) ([]key, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	if len(files) > maxKeys {
		return nil, fmt.Errorf("%s holds %d keys, more than %d: delete old ones", dir, len(files), maxKeys)
	}
	slices.Sort(files)
	var keys []key
	for _, file := range slices.Backward(files) {
		k, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func read(file string) (key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return key{}, err
	}
	// The group may read it: that is how Kubernetes mounts secrets.
	if info.Mode().Perm()&0o007 != 0 {
		return key{}, errors.New("everybody on this machine can use this key: chmod 600 it")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return key{}, err
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != blockType {
		return key{}, errors.New("want a PEM file with a " + blockType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return key{}, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return key{}, errors.New("want a P-256 key")
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (key, error) {
	public, err := newPublic(&private.PublicKey)
	if err != nil {
		return key{}, err
	}
	// The type keeps other tokens from passing for access tokens (RFC 9068).
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", public.ID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, options)
	if err != nil {
		return key{}, err
	}
	return key{public, signer}, nil
}

func newPublic(k *ecdsa.PublicKey) (Public, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: k}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Public{}, err
	}
	point, err := k.Bytes() // 4, then X and Y with 32 bytes each
	if err != nil {
		return Public{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return Public{ID: encode(thumbprint), X: encode(point[1:33]), Y: encode(point[33:])}, nil
}

// create writes a new key that is newer than all that were made before now. The
// file is named after the time and the key, so that two processes that start at
// once make two keys, and is complete from the moment on that it has that name.
func create(dir string, now time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := newPublic(&private.PublicKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := now.UTC().Format("20060102T150405Z") + "-" + public.ID[:8] + ".pem"
	return write(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}))
}

// write makes a file with mode 0600 in one step. A reader never sees half of it.
func write(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
