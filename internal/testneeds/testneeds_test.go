package testneeds_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"bucketgate/internal/testneeds"
)

// A fake takes the place of a test, and keeps what becomes of it.
type fake struct {
	testing.TB
	failed, skipped string
}

func (*fake) Helper() {}

func (f *fake) Fatalf(format string, args ...any) {
	f.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *fake) Skip(args ...any) {
	f.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func TestSkip(t *testing.T) {
	for _, tt := range []struct{ all, failed, skipped string }{
		{all: "", skipped: "no Chromium"},
		{all: "0", skipped: "no Chromium"},
		{all: "1", failed: "BUCKETGATE_TEST_ALL is 1, and yet this test cannot run: no Chromium"},
	} {
		t.Run(tt.all, func(t *testing.T) {
			t.Setenv(testneeds.All, tt.all)
			f := &fake{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				testneeds.Skip(f, "no Chromium")
			}()
			<-done
			assert.Equal(t, tt.failed, f.failed)
			assert.Equal(t, tt.skipped, f.skipped)
		})
	}
}
