"""`python -m mnist_arch` lists the architectures, their parameters and what they are."""

import sys

import mnist_arch

for name in mnist_arch.architectures():
    net = mnist_arch.build(name)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    summary = (net.__doc__ or "").split(";")[0]
    sys.stdout.write(f"{name:<16}{parameters:>10,}  {summary}\n")
