package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs are the paths of what is measured.
type programs struct{ bucketgate, bare string }

func build(ctx context.Context, dir string) (programs, error) {
	p := programs{filepath.Join(dir, "bucketgate"), filepath.Join(dir, "bare")}
	for path, pkg := range map[string]string{p.bucketgate: "bucketgate/cmd/bucketgate", p.bare: "bucketgate/internal/bench/bare"} {
		command := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("building %s: %w\n%s", pkg, err, output)
		}
	}
	return p, nil
}
