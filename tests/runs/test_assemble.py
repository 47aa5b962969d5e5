"""What cannot be put together is refused before any work is done."""

import pytest

from mnist_arch.errors import UserError
from mnist_arch.runs import assemble
from mnist_arch.runs.config import compose


def test_batch_norm_is_not_trained_by_single_images() -> None:
    for size in (1, 2):
        config = compose(["model=batchnorm_cnn", f"recipe.batch_size={size}"])
        net = assemble.network(config)
        if size == 2:
            assert assemble.classifier(config, net).net is net
            continue
        with pytest.raises(UserError) as error:
            assemble.classifier(config, net)
        assert str(error.value) == (
            "recipe.batch_size=1: batchnorm_cnn normalises over a batch; set 2 or more"
        )
