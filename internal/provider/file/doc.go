// Package file is the provider that reads the dynamic-configuration format from one file, or from all files of a folder
// and of the folders in it. How they are watched, and what is believed of them, is package folder.
//
//	folder ─ documents, and files that they name ─▶ dynamic.Documents ─▶ publish
package file
