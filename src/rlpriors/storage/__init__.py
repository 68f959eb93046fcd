"""Safe reads and writes: complete files, clear errors of full disks, and folders with one writer.

`array_folder`   folders with memory-mapped arrays and an index, which others may have written
`atomic`         files and folders that are written under a temporary name and then renamed
`checksum`       checksums at the end of files
`disk`           clear errors of full and read-only disks, and reserved blocks
`lock`           exclusive use of a folder or file by one process
`module_files`   the two files of a saved module, replaced as one
"""
