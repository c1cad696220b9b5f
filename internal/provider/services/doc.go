// Package services is the provider that reads a folder of service files: files that say where the instances of services
// run, as Prometheus (file_sd) and Consul (service definitions) have them.
//
//	folder ─ files ─▶ decode: which of the two ─▶ targets or definitions ─▶ dynamic.Workloads ─▶ publish
//
// What must hold:
//
//   - A file that is written for the other program is read as that program reads it. What it says and cannot be served
//     is a problem with its line; the rest of the file is served.
//   - A service has the instances of all files that name it.
//   - How files are watched, and what is believed of them, is package folder.
package services
