// Package metrics counts what a server does, for Prometheus.
//
// What is counted names no client, scope, repository or branch: whoever may
// read the numbers learns nothing of the workspace, and no caller can make
// their series grow.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the numbers of one process. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	callTime *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	asked    *prometheus.CounterVec
	askTime  prometheus.Histogram
}

// New returns numbers that begin at zero, and those of the Go program and its
// process beside them.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketgate_calls_total", Help: "Calls of tools, by the role of the caller, the tool and the code of the answer (ok, or that of the error).",
		}, []string{"role", "tool", "code"}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bucketgate_call_duration_seconds", Help: "How long calls of tools took, Bitbucket and the audit log included.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"role", "tool"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketgate_refused_requests_total", Help: "Requests over HTTP that were refused before they reached a tool, and written down.",
		}, []string{"transport"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bucketgate_bitbucket_requests_total", Help: "Requests to Bitbucket for the calls of agents, retries included, by the status of the answer (none where there was no answer).",
		}, []string{"status"}),
		askTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bucketgate_bitbucket_request_duration_seconds", Help: "How long Bitbucket took to begin its answers.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bucketgate_build_info", Help: "Always 1; the label is what counts.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.calls, m.callTime, m.refused, m.asked, m.askTime, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge adds a number that is asked for whenever somebody looks.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Called counts a call of a tool. The tool is "" for one that there is not.
func (m *Metrics) Called(role, tool, code string, took time.Duration) {
	m.calls.WithLabelValues(role, tool, code).Inc()
	m.callTime.WithLabelValues(role, tool).Observe(took.Seconds())
}

// Refused counts a request that did not get as far as a tool.
func (m *Metrics) Refused(transport string) { m.refused.WithLabelValues(transport).Inc() }

// Asked counts a request to Bitbucket. The status is 0 where there was no
// answer.
func (m *Metrics) Asked(status int, took time.Duration) {
	text := "none"
	if status != 0 {
		text = strconv.Itoa(status)
	}
	m.asked.WithLabelValues(text).Inc()
	m.askTime.Observe(took.Seconds())
}

// Handler answers with the numbers in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true})
}
