package sample

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
)

// The files of the planted repositories are few, and of every kind that a
// client has to deal with. They are made when somebody asks; the large ones
// are the same in every repository and in memory once.

// begun is what the first commit adds.
func begun(r Repository) map[string]File {
	return map[string]File{
		"README.md":  plain("# " + r.Name + "\n"),
		".gitignore": plain("/build/\n*.log\n"),
	}
}

// described is what the second one adds: texts, under names that need care.
func described(r Repository) map[string]File {
	return map[string]File{
		"README.md": plain("# " + r.Name + "\n\n" + r.Description + "\n\n" +
			"See docs/guide.md for how to run it.\n"),
		"docs/guide.md":             plain(guide(r)),
		"docs/release notes.md":     plain("# Release notes\n\nNothing yet.\n"),
		"docs/Überblick.md":         plain("# Überblick\n\nEin Satz auf Deutsch: schöne Grüße.\n"),
		"docs/issue #1.md":          plain("The first issue, kept for old times' sake.\n"),
		"docs/100% coverage.md":     plain("How we got there.\n"),
		"docs/images/logo.png":      {Content: logo},
		"docs/adr/0001/decision.md": plain("# Keep it simple\n\nAccepted.\n"),
	}
}

// built is what the third one adds: code, and what is not quite a file.
func built(r Repository) map[string]File {
	return map[string]File{
		"bitbucket-pipelines.yml":          plain("image: ci/base:1\npipelines:\n  default:\n    - step:\n        script:\n          - scripts/build.sh\n"),
		"scripts/build.sh":                 {Content: []byte("#!/bin/sh\nset -eu\necho building\n"), Executable: true},
		mainFile(r):                        plain(code(r, "Hello")),
		"src/config/default/settings.json": plain("{\n  \"retries\": 3,\n  \"timeout\": \"30s\"\n}\n"),
		"src/config/windows.ini":           plain("[window]\r\nwidth=800\r\nheight=600\r\n"),
		"src/no-newline.txt":               plain("the last line has no end"),
		"data/prices.csv":                  {Content: prices()},
		"data/model.bin":                   {Content: []byte(lfsPointer), LFS: true},
		"latest":                           {Content: []byte("docs/release notes.md"), Symlink: true},
		"vendor/shared":                    {Submodule: "5f0c1d7e9a3b4c6d8e0f1a2b3c4d5e6f7a8b9c0d"},
	}
}

// worked is what the head of a branch adds to that; what it does besides goes
// by the first word of the name.
func worked(r Repository, branch string) map[string]File {
	files := map[string]File{
		mainFile(r): plain(code(r, "Hello from "+branch)),
		"docs/branches/" + strings.ReplaceAll(branch, "/", "-") + ".md": plain("# " + branch + "\n\nWhat this branch is about (sample data).\n"),
	}
	switch kind, _, _ := strings.Cut(branch, "/"); kind {
	case "develop":
		files["docs/guide.md"] = File{Deleted: true}
		files["docs/manual.md"] = plain(guide(r) + "\nThis was the guide.\n")
	case "release":
		files["src/config/windows.ini"] = File{Deleted: true}
		files["docs/images/logo.png"] = File{Content: append(logo[:len(logo):len(logo)], 0, 1, 2)}
	case "hotfix":
		files["data/prices.csv"] = File{Content: []byte(strings.Replace(string(prices()), "item-1500,", "item-1500-fixed,", 1))}
		files["scripts/build.sh"] = plain("#!/bin/sh\nset -eu\necho building\n")
	}
	return files
}

// forked is what a fork adds to what it is a fork of.
func forked(r Repository) map[string]File {
	return map[string]File{"FORK.md": plain("# " + r.Name + "\n\n" + r.Description + "\n")}
}

func plain(content string) File { return File{Content: []byte(content)} }

// logo is no picture, but begins like one.
var logo = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00")

const lfsPointer = "version https://git-lfs.github.com/spec/v1\n" +
	"oid sha256:9f2d1c7b3a5e4f6081726354a9b8c7d6e5f40312233445566778899aabbccdde\nsize 73400320\n"

// prices is a long file.
var prices = sync.OnceValue(func() []byte {
	var b strings.Builder
	b.WriteString("item,price,stock\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "item-%d,%d.%02d,%d\n", i, 5+i*7%200, i*13%100, i*31%500)
	}
	return []byte(b.String())
})

func guide(r Repository) string {
	return "# How to run " + r.Name + "\n\n1. Check out the main branch.\n2. Run scripts/build.sh.\n3. Read what it prints.\n\n" +
		"## Settings\n\nThey are in src/config/default/settings.json.\n"
}

// extensions of what people write, by the language of the repository.
var extensions = map[string]string{
	"go": "go", "typescript": "ts", "java": "java", "python": "py", "kotlin": "kt", "hcl": "tf", "rust": "rs",
	"ruby": "rb", "swift": "swift", "scala": "scala", "c#": "cs", "php": "php", "css": "css",
}

func mainFile(r Repository) string { return "src/main." + cmp.Or(extensions[r.Language], "txt") }

func code(r Repository, greeting string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "start %s\n", r.Slug)
	for i := range 40 {
		fmt.Fprintf(&b, "    step %d of the work\n", i+1)
	}
	fmt.Fprintf(&b, "finish\n    say %q\n", greeting)
	return b.String()
}
