"""What options may say, where the module that obeys them is slow to import."""

__all__ = ['LAUNCHERS', 'PRECISIONS']

#: Who may start the processes of a training or test.
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')

#: Names on the command line to names of PyTorch's types.
PRECISIONS = {'fp16': 'float16', 'bf16': 'bfloat16'}
