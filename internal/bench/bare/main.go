// Command bare is what the benchmarks measure Bucketgate's protocol against:
// mcp-go's own server with one tool that does nothing, on stdin and stdout or,
// where it is given an argument, over HTTP.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("bare", "dev", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("nothing", mcp.WithDescription("Does nothing.")), nothing)
	serve := server.ServeStdio
	if len(os.Args) > 1 {
		serve = serveHTTP
	}
	if err := serve(s); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

// serveHTTP says where it listens, as Bucketgate does.
func serveHTTP(s *server.MCPServer, _ ...server.StdioOption) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("agents: http://%s/mcp\n", listener.Addr())
	return http.Serve(listener, server.NewStreamableHTTPServer(s))
}

func nothing(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(""), nil
}
