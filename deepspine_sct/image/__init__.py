"""Images and where they are: grids, volumes, NIfTI files, intensities and sagittal slabs."""
