"""What Lightning says that no user needs to know."""

import logging
import warnings


def quieten() -> None:
    """Leave standard error to progress and to what a user must know."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # The whole data set is one tensor in memory: there is nothing for workers to fetch.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # Most sources hold nothing out.
    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")
    # A resumed run finds the files that it left; its CSV file is written again whole.
    warnings.filterwarnings("ignore", ".*directory .* exists and is not empty")
    # Lightning 2.6 asks torch's pytrees in a way that torch 2.15 wants changed.
    warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")
    # Processes that train together sum up their counts themselves.
    warnings.filterwarnings("ignore", ".*sync_dist=True.*")
