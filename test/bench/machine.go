package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine says where and of what a measurement was made.
type Machine struct {
	Date   string `json:"date"`
	Commit string `json:"commit"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	System string `json:"system"`
	Go     string `json:"go"`
	// Load is the load of the machine before the measurement.
	Load string `json:"load"`
}

// describe asks the machine. What it does not tell is "unknown".
func describe() Machine {
	return Machine{
		Date: time.Now().UTC().Format(time.RFC3339), Commit: commit(),
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.GOMAXPROCS(0), Memory: field("/proc/meminfo", "MemTotal"),
		System: runtime.GOOS + "/" + runtime.GOARCH + " " + firstWord("/proc/sys/kernel/osrelease"),
		Go:     runtime.Version(), Load: firstWord("/proc/loadavg"),
	}
}

const unknown = "unknown"

// commit is that of the work tree, with a mark when it has changes.
func commit() string {
	hash, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return unknown
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	mark := ""
	if err != nil || len(changes) > 0 {
		mark = " with changes"
	}
	return strings.TrimSpace(string(hash)) + mark
}

// field returns the value of "name : value" in a file of the kernel's.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return unknown
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func firstWord(file string) string {
	text, _ := os.ReadFile(file)
	word, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if word == "" {
		return unknown
	}
	return word
}

// String has a line for each thing, as the head of a benchmark's output.
func (m Machine) String() string {
	return fmt.Sprintf("date: %s\ncommit: %s\nmachine-cpu: %s\ncores: %d\nmemory: %s\nsystem: %s\ngo: %s\nload-before: %s\n",
		m.Date, m.Commit, m.CPU, m.Cores, m.Memory, m.System, m.Go, m.Load)
}
