// Package servers holds the cores: interchangeable servers that drive the same httpcore.Conn and differ only in how they
// wait for the network. A core is one file or folder and one line of the table in cores.go.
package servers
