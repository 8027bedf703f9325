package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/tools"
)

// Anybody can ask for /healthz, a thousand times over one connection, and read
// nothing. Without an end to that the connection would be held for ever.
func TestWhoDoesNotReadIsLeft(t *testing.T) {
	h := NewHTTP(HTTPConfig{Loopback: true, Log: slog.New(slog.DiscardHandler)})
	h.answerTime = 100 * time.Millisecond
	s := httptest.NewServer(h)
	defer s.Close()
	defer s.CloseClientConnections()
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetWriteDeadline(time.Now().Add(20*time.Second))) // only where it hangs
	asks := strings.Repeat("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000)
	for err == nil {
		_, err = io.WriteString(connection, asks)
	}
	assert.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the server goes on waiting: %v", err)
}

// A stream has a time for each write, and none as a whole. Over HTTP/2 a time
// that is over ends it even where nothing is being written.
func TestStreamsOutliveTheTimeOfAnAnswer(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			h := NewHTTP(HTTPConfig{
				Sides: []Side{{Role: "agent", Server: New(Config{Name: "test", Toolbox: &tools.Toolbox{}, Log: log})}},
				Log:   log, Loopback: true, Heartbeat: 100 * time.Millisecond,
				Authenticate: func(context.Context, string) (Principal, error) { return Principal{Name: "bot", Role: "agent"}, nil },
			})
			h.answerTime = 2 * time.Second
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = http2
			s.StartTLS()
			defer s.Close()
			defer s.CloseClientConnections()
			ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/sse", nil)
			require.NoError(t, err)
			ask.Header.Set("Authorization", "Bearer bg_key")
			response, err := s.Client().Do(ask)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, name, strings.TrimSuffix(response.Proto, ".0"))
			// So many beats last longer than an answer may.
			beats := 0
			for lines := bufio.NewScanner(response.Body); beats < 30 && lines.Scan(); {
				if strings.HasPrefix(lines.Text(), ":") {
					beats++
				}
			}
			assert.Equal(t, 30, beats)
		})
	}
}

// Anybody can ask for /readyz too, and must not keep the database from those
// who work with it.
func TestReadyIsAskedOneAtATime(t *testing.T) {
	var running, most, asked atomic.Int64
	h := NewHTTP(HTTPConfig{Loopback: true, Log: slog.New(slog.DiscardHandler), Ready: func(ctx context.Context) (int, error) {
		defer running.Add(-1)
		most.Store(max(most.Load(), running.Add(1)))
		asked.Add(1)
		time.Sleep(20 * time.Millisecond) // long enough that others come meanwhile
		return 3, ctx.Err()
	}})
	s := httptest.NewServer(h)
	defer s.Close()
	var done sync.WaitGroup
	for range 20 {
		done.Go(func() {
			response, err := http.Get(s.URL + "/readyz")
			if !assert.NoError(t, err) {
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			assert.Equal(t, "200 {\"status\":\"degraded\",\"broken_scopes\":3}\n", fmt.Sprint(response.StatusCode, " ", string(body)))
		})
	}
	done.Wait()
	assert.EqualValues(t, 1, most.Load())
	assert.Positive(t, asked.Load())
}
