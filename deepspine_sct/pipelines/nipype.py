"""A Nipype interface of `sct_deepspine_label`. Nipype must be installed; nothing else here needs it.

>>> from deepspine_sct.pipelines.nipype import LabelDiscs
>>> LabelDiscs(image="t2.nii.gz", contrast="t2").run().outputs.discs
"""

from nipype.interfaces.base import CommandLine, CommandLineInputSpec, File, TraitedSpec, traits


class LabelDiscsInputSpec(CommandLineInputSpec):
    """What the command takes; ``sct_deepspine_label -h`` explains every option."""

    image = File(exists=True, mandatory=True, argstr="-i %s", desc="3-D NIfTI image")
    contrast = traits.Enum(
        "t1", "t2", "t2s", "pd", "stir", "psir", "other", mandatory=True, argstr="-c %s", desc="contrast of the image"
    )
    discs = File(
        argstr="-o %s", name_source="image", name_template="%s_labeled_discs.nii.gz", keep_extension=False,
        desc="label file to write",
    )  # fmt: skip
    report = File(
        argstr="-json %s", name_source="image", name_template="%s_labeled_discs.json", keep_extension=False,
        desc="report to write",
    )  # fmt: skip
    cord = File(exists=True, argstr="-s %s", desc="segmentation of the spinal cord")
    known_discs = File(exists=True, argstr="-initlabel %s", xor=["known_slice"], desc="label file with known discs")
    known_slice = traits.Tuple(
        traits.Int, traits.Int, argstr="-initz %d,%d", xor=["known_discs"], desc="slice and value of one known disc"
    )
    model = File(exists=True, argstr="-model %s", desc="network, .safetensors or .onnx")


class LabelDiscsOutputSpec(TraitedSpec):
    """What the command writes."""

    discs = File(exists=True, desc="label file, one voxel per disc")
    report = File(exists=True, desc="report in JSON: every disc, its confidence, warnings")


class LabelDiscs(CommandLine):
    """Find and name the intervertebral discs of a spinal MRI scan."""

    _cmd = "sct_deepspine_label"
    input_spec = LabelDiscsInputSpec
    output_spec = LabelDiscsOutputSpec
