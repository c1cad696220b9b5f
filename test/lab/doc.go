// Package lab runs the real servers that suites need beside the instance, each as far from the machine's own as it can
// be: in folders and network namespaces that are gone when the test ends.
package lab
