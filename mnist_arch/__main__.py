"""`python -m mnist_arch` lists the architectures, the smallest first: parameters and a summary."""

import sys

from mnist_arch.models import ARCHITECTURES, blank

nets = {name: blank(name) for name in ARCHITECTURES}
for name, net in sorted(nets.items(), key=lambda item: item[1].parameter_count):
    sys.stdout.write(f"{name:<16}{net.parameter_count:>10,}  {net.summary()}\n")
