"""What was found before anything here was mended, and the tests that hold each."""

FAULTS: dict[str, tuple[str, ...]] = {
    "The best weights after a kill were those of another epoch": (
        "training/test_classifier.py::test_best_after_a_kill_is_the_best_of_the_uninterrupted_run",
        "endurance/test_kills.py::"
        "test_a_run_that_is_killed_again_and_again_ends_as_an_uninterrupted_one",
    ),
    "A checkpoint was cut by a kill or a full disk, and the run lost": (
        "training/test_classifier.py::test_a_checkpoint_that_cannot_be_written_leaves_the_one_before",
        "runs/test_train.py::test_a_damaged_checkpoint_is_passed_over_for_the_one_before",
        "runs/test_environments.py::"
        "test_a_full_disk_leaves_nothing_half_written_and_the_run_goes_on_when_there_is_room",
    ),
    "Weights that were damaged, or no numbers, answered": (
        "test_library.py::test_weights_that_are_no_numbers_are_refused",
        "test_library.py::test_a_single_flipped_bit_is_noticed",
    ),
    "A training that diverged was a finished run": (
        "runs/test_train.py::test_a_training_that_diverges_says_when_and_leaves_no_record",
        "runs/test_records.py::test_what_is_endless_deep_or_no_number_is_no_record",
    ),
    "Signals ended a training without a word, a killed worker a sweep without its table": (
        "experiments/test_signals.py::test_a_signal_ends_a_training_with_a_word_and_what_is_saved",
        "experiments/test_signals.py::test_a_sweep_that_is_ended_shows_what_is_finished",
        "experiments/test_signals.py::test_a_killed_worker_is_named_and_what_is_finished_shown",
    ),
    "Checkpoints of other types, pipes, devices and bombs: tracebacks, hangs, all memory": (
        "endurance/test_hostile.py::test_a_broken_file_is_read_as_it_is_or_refused_in_one_line",
        "experiments/test_predict.py::test_each_of_a_hundred_hostile_files_is_a_line",
        "inference/test_pictures.py::"
        "test_a_huge_picture_in_colour_and_transparency_takes_less_than_a_gibibyte",
    ),
    "Records and predictions that cannot be: tracebacks": (
        "runs/test_records.py::test_a_record_that_cannot_be_is_named",
        "runs/test_predictions.py::"
        "test_a_header_that_promises_more_than_all_memory_is_not_believed",
    ),
    "Words that crashed, ran code, or were answered in many lines": (
        "runs/test_config.py::test_nothing_is_imported_but_what_is_trusted",
        "runs/test_config.py::test_words_that_hydra_itself_stumbles_over_are_one_line",
        "experiments/test_run.py::test_a_typed_mistake_is_one_line_code_2_and_leaves_nothing",
    ),
    "Names that are no text, other tensors, a folder that is gone, output to a full disk": (
        "runs/test_environments.py::test_a_name_that_is_not_text_spoils_no_record",
        "runs/test_environments.py::test_a_folder_that_is_gone_is_one_line",
        "inference/test_predictor.py::test_a_tensor_without_pixel_values_is_refused",
        "experiments/test_command.py::test_a_full_disk_is_told_where_a_result_would_be_lost",
    ),
    "The page: tracebacks at its end, bodies without end, resets for a word": (
        "experiments/test_page.py::test_the_command_ends_quietly_while_a_client_hangs",
        "page/test_app.py::test_what_does_not_arrive_is_not_waited_for",
        "experiments/test_page.py::test_a_picture_of_30_mb_is_told_that_it_is_too_large",
    ),
    "Figures and means of runs were never finished after a kill": (
        "experiments/test_run.py::test_figures_whose_drawing_was_broken_off_are_drawn_again",
        "reports/test_tensorboard.py::test_a_mean_that_was_killed_before_its_mark_is_written_again",
    ),
    "Sweeps that ended in the same second, and two who drew one run, broke each other's files": (
        "reports/test_tensorboard.py::test_sweeps_that_end_together_write_their_means_in_turn",
        "experiments/test_run.py::test_what_another_is_drawing_is_waited_for_and_not_drawn_again",
    ),
}
