// Package folder reads one file, or all files of a folder and of the folders in it, and reads again what changes. The
// providers whose places are files share it; each says which files it wants and how one is decoded.
//
//	events ─ hold off ─▶ scan: which files ─▶ load: those that changed ─▶ View ─▶ the provider
//	   ▲                   │ folders            ▲
//	   └────── arm ◀───────┘                    └─ every 30 s all of them, by content
//
// What must hold:
//
//   - Folders are watched, not files: editors, configuration management and Kubernetes replace files by renaming others
//     over them, or swap a symbolic link on the way. Every folder that has a say in what a path leads to is watched.
//   - Watches are armed before the files are read, so that no change falls in between.
//   - A change for the worse (a file is gone, empty, or cannot be understood) is believed when it is seen twice, a few
//     milliseconds apart: it may be a file that is being written.
//   - A file that cannot be read or understood keeps its last good content, with a Problem that says where. The
//     others are as they are. A folder that cannot be read in full is an error: part of it would be worse than what is
//     known.
//   - A change is told within some 10 ms where there are few files, and 30 ms where there are 1,000: what did not
//     change is not read again.
//   - Files that a document names (users, keys) are watched like the documents, but keep no last good content: who
//     removes a list of users means that nobody may come in.
package folder
