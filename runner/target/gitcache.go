package target

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// maxBuilt bounds the binaries in the cache: about 10 MB each.
	maxBuilt = 32
	// inUse is how long ago a binary was asked for that another run of the lab may still start.
	inUse = 24 * time.Hour
	// building begins the names of folders of builds under way.
	building = "building-"
)

// gitCache is the folder of built revisions: one folder each, by key, with the binary in it.
type gitCache struct{ dir string }

// openCache makes the cache's folder, below the user's cache folder.
func openCache() (gitCache, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return gitCache{}, fmt.Errorf("find the user's cache folder for built revisions: %w; set XDG_CACHE_HOME", err)
	}
	c := gitCache{filepath.Join(user, "corelab", "git")}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return c, fmt.Errorf("make the folder for built revisions: %w; XDG_CACHE_HOME names another place", err)
	}
	return c, nil
}

func (c gitCache) path(key string) string { return filepath.Join(c.dir, key, "coreserver") }

// find returns the binary of key, and notes that it is used.
func (c gitCache) find(key string) (path string, found bool) {
	path = c.path(key)
	now := time.Now()
	os.Chtimes(path, now, now) // where it cannot be noted, it is removed sooner and built again
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular()
}

// workDir makes a folder to build in, on the same file system as the cache. The caller removes it.
func (c gitCache) workDir() (string, error) {
	dir, err := os.MkdirTemp(c.dir, building)
	if err != nil {
		return "", fmt.Errorf("make a folder to build in: %w", err)
	}
	return dir, nil
}

// keep moves a built binary to its place, in one step, and makes room.
func (c gitCache) keep(key, built string) (path string, err error) {
	path = c.path(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the folder of a built revision: %w", err)
	}
	if err := os.Rename(built, path); err != nil {
		return "", fmt.Errorf("keep a built revision: %w", err)
	}
	c.trim(time.Now())
	return path, nil
}

// trim removes the binaries beyond maxBuilt that were not asked for longest, and what killed builds left behind. Those of
// the last day stay. What cannot be removed is tried again the next time.
func (c gitCache) trim(now time.Time) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	type kept struct {
		dir  string
		used time.Time
	}
	var all []kept
	for _, e := range entries {
		dir := filepath.Join(c.dir, e.Name())
		info, err := os.Stat(filepath.Join(dir, "coreserver"))
		if strings.HasPrefix(e.Name(), building) || err != nil {
			if info, err = e.Info(); err == nil && now.Sub(info.ModTime()) > inUse {
				os.RemoveAll(dir)
			}
			continue
		}
		all = append(all, kept{dir, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) })
	for i, k := range all {
		if i >= maxBuilt && now.Sub(k.used) > inUse {
			os.RemoveAll(k.dir)
		}
	}
}
