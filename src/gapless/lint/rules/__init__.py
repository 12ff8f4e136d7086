"""Every rule, in one tuple; `gapless lint --list` and docs/lint.md are made from it."""

from gapless.lint.rule import Rule
from gapless.lint.rules.data.batch_norm_tiny_batch import batch_norm_tiny_batch
from gapless.lint.rules.data.generator_kept_in_dataset import generator_kept_in_dataset
from gapless.lint.rules.data.last_batch_of_one import last_batch_of_one
from gapless.lint.rules.data.sampler_without_set_epoch import sampler_without_set_epoch
from gapless.lint.rules.data.seed_in_epoch_loop import seed_in_epoch_loop
from gapless.lint.rules.data.seed_in_getitem import seed_in_getitem
from gapless.lint.rules.data.training_not_shuffled import training_not_shuffled
from gapless.lint.rules.data.validation_drops_last import validation_drops_last
from gapless.lint.rules.data.worker_seed_fixed import worker_seed_fixed
from gapless.lint.rules.decay.adam_l2 import adam_l2
from gapless.lint.rules.decay.decay_forgets_at_once import decay_forgets_at_once
from gapless.lint.rules.decay.decay_in_gradient import decay_in_gradient
from gapless.lint.rules.decay.decay_list_misses import decay_list_misses
from gapless.lint.rules.decay.decay_on_norms import decay_on_norms
from gapless.lint.rules.decay.decay_timescale import decay_timescale
from gapless.lint.rules.decay.decayed_norms import decayed_norms
from gapless.lint.rules.loop.clip_of_scaled_gradients import clip_of_scaled_gradients
from gapless.lint.rules.loop.clip_without_effect import clip_without_effect
from gapless.lint.rules.loop.eval_missing import eval_missing
from gapless.lint.rules.loop.loss_cut_from_graph import loss_cut_from_graph
from gapless.lint.rules.loop.loss_kept_with_graph import loss_kept_with_graph
from gapless.lint.rules.loop.pretrained_in_eval_mode import pretrained_in_eval_mode
from gapless.lint.rules.loop.train_missing import train_missing
from gapless.lint.rules.loop.zero_grad_before_step import zero_grad_before_step
from gapless.lint.rules.loop.zero_grad_missing import zero_grad_missing
from gapless.lint.rules.loss.log_softmax_twice import log_softmax_twice
from gapless.lint.rules.loss.loss_broadcasts import loss_broadcasts
from gapless.lint.rules.loss.mixed_with_hard_labels import mixed_with_hard_labels
from gapless.lint.rules.loss.nll_without_log import nll_without_log
from gapless.lint.rules.loss.probabilities_into_loss import probabilities_into_loss
from gapless.lint.rules.loss.sigmoid_before_bce_with_logits import sigmoid_before_bce_with_logits
from gapless.lint.rules.loss.single_output import single_output
from gapless.lint.rules.loss.smoothed_twice import smoothed_twice
from gapless.lint.rules.loss.soft_labels_become_bce import soft_labels_become_bce
from gapless.lint.rules.loss.softmax_before_cross_entropy import softmax_before_cross_entropy
from gapless.lint.rules.modes.attention_dropout_always_on import attention_dropout_always_on
from gapless.lint.rules.modes.dropout_before_batch_norm import dropout_before_batch_norm
from gapless.lint.rules.modes.dropout_keep_probability import dropout_keep_probability
from gapless.lint.rules.modes.functional_dropout_always_on import functional_dropout_always_on
from gapless.lint.rules.modes.layer_made_in_forward import layer_made_in_forward
from gapless.lint.rules.modes.random_in_evaluation import random_in_evaluation
from gapless.lint.rules.modes.recurrent_dropout_one_layer import recurrent_dropout_one_layer
from gapless.lint.rules.parameters.head_after_optimizer import head_after_optimizer
from gapless.lint.rules.parameters.layers_in_a_list import layers_in_a_list
from gapless.lint.rules.parameters.parameter_moved import parameter_moved
from gapless.lint.rules.parameters.parameters_twice import parameters_twice
from gapless.lint.rules.parameters.parameters_used_up import parameters_used_up
from gapless.lint.rules.parameters.repeated_parameters import repeated_parameters
from gapless.lint.rules.parameters.untrained_parameters import untrained_parameters
from gapless.lint.rules.pictures.augmented_validation import augmented_validation
from gapless.lint.rules.pictures.flip_changes_label import flip_changes_label
from gapless.lint.rules.pictures.mask_transformed_apart import mask_transformed_apart
from gapless.lint.rules.pictures.normalised_differently import normalised_differently
from gapless.lint.rules.pictures.split_shares_augmentation import split_shares_augmentation
from gapless.lint.rules.pictures.split_transform_overwritten import split_transform_overwritten
from gapless.lint.rules.pictures.varied_validation import varied_validation
from gapless.lint.rules.schedule.averaged_without_statistics import averaged_without_statistics
from gapless.lint.rules.schedule.best_weights_not_copied import best_weights_not_copied
from gapless.lint.rules.schedule.compiled_before_attach import compiled_before_attach
from gapless.lint.rules.schedule.monitor_in_wrong_direction import monitor_in_wrong_direction
from gapless.lint.rules.schedule.schedule_in_wrong_unit import schedule_in_wrong_unit
from gapless.lint.rules.schedule.scheduler_before_optimizer import scheduler_before_optimizer
from gapless.lint.rules.schedule.scheduler_never_stepped import scheduler_never_stepped
from gapless.lint.rules.split.chosen_on_test import chosen_on_test
from gapless.lint.rules.split.fitted_before_split import fitted_before_split
from gapless.lint.rules.split.fitted_on_test import fitted_on_test
from gapless.lint.rules.split.resampled_before_split import resampled_before_split
from gapless.lint.rules.split.rows_on_both_sides import rows_on_both_sides
from gapless.lint.rules.split.validation_is_training import validation_is_training
from gapless.lint.rules.statistics.batch_norm_keras_momentum import batch_norm_keras_momentum
from gapless.lint.rules.statistics.dropout_shifts_variance import dropout_shifts_variance
from gapless.lint.rules.statistics.few_values_a_channel import few_values_a_channel
from gapless.lint.rules.statistics.frozen_batch_norm_moves import frozen_batch_norm_moves
from gapless.lint.rules.statistics.stale_statistics import stale_statistics

RULES: tuple[Rule, ...] = (
    log_softmax_twice,
    loss_broadcasts,
    mixed_with_hard_labels,
    nll_without_log,
    probabilities_into_loss,
    sigmoid_before_bce_with_logits,
    single_output,
    smoothed_twice,
    soft_labels_become_bce,
    softmax_before_cross_entropy,
    attention_dropout_always_on,
    dropout_before_batch_norm,
    dropout_keep_probability,
    functional_dropout_always_on,
    layer_made_in_forward,
    random_in_evaluation,
    recurrent_dropout_one_layer,
    batch_norm_keras_momentum,
    dropout_shifts_variance,
    few_values_a_channel,
    frozen_batch_norm_moves,
    stale_statistics,
    adam_l2,
    decay_forgets_at_once,
    decay_in_gradient,
    decay_list_misses,
    decay_on_norms,
    decay_timescale,
    decayed_norms,
    head_after_optimizer,
    layers_in_a_list,
    parameter_moved,
    parameters_twice,
    parameters_used_up,
    repeated_parameters,
    untrained_parameters,
    clip_of_scaled_gradients,
    clip_without_effect,
    eval_missing,
    loss_cut_from_graph,
    loss_kept_with_graph,
    pretrained_in_eval_mode,
    train_missing,
    zero_grad_before_step,
    zero_grad_missing,
    averaged_without_statistics,
    best_weights_not_copied,
    compiled_before_attach,
    monitor_in_wrong_direction,
    schedule_in_wrong_unit,
    scheduler_before_optimizer,
    scheduler_never_stepped,
    batch_norm_tiny_batch,
    generator_kept_in_dataset,
    last_batch_of_one,
    sampler_without_set_epoch,
    seed_in_epoch_loop,
    seed_in_getitem,
    training_not_shuffled,
    validation_drops_last,
    worker_seed_fixed,
    chosen_on_test,
    fitted_before_split,
    fitted_on_test,
    resampled_before_split,
    rows_on_both_sides,
    validation_is_training,
    augmented_validation,
    flip_changes_label,
    mask_transformed_apart,
    normalised_differently,
    split_shares_augmentation,
    split_transform_overwritten,
    varied_validation,
)
