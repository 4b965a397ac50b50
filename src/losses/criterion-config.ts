/**
 * Settings of the training loss, under the names of the official command line. Written out, so that declarations need no
 * schema library; a test keeps it equal to `criterionConfigSchema`.
 */
export interface CriterionConfig {
  /** Matching of predictions and targets; the only one. */
  readonly set_loss: 'hungarian';
  /** Weight of the soft-token cost in the matching. */
  readonly set_cost_class: number;
  /** Weight of the L1 cost of boxes in the matching. */
  readonly set_cost_bbox: number;
  /** Weight of the GIoU cost in the matching. */
  readonly set_cost_giou: number;
  /** Weight of the soft-token loss. */
  readonly ce_loss_coef: number;
  /** Weight of the L1 loss of boxes. */
  readonly bbox_loss_coef: number;
  /** Weight of the GIoU loss. */
  readonly giou_loss_coef: number;
  /** Weight of the focal loss of masks. If `dice_loss_coef` is 0 too, masks are not trained and need not be annotated. */
  readonly mask_loss_coef: number;
  /** Weight of the Dice loss of masks. */
  readonly dice_loss_coef: number;
  /** Weight of the losses of answers. */
  readonly qa_loss_coef: number;
  /** Relative weight of the no-object class in the soft-token loss. */
  readonly eos_coef: number;
  /** Weight of `contrastive_loss`. */
  readonly contrastive_loss_coef: number;
  /** Weight of `contrastive_align_loss`. */
  readonly contrastive_align_loss_coef: number;
  /** Temperature of the contrastive losses. */
  readonly temperature_NCE: number;
  /** Weights of a box's tokens in the soft-token loss and the matching: `binary` as in the official code, where a box with many tokens weighs more, or `normalized` to sum 1, as in the paper. */
  readonly positive_map: 'binary' | 'normalized';
  /** Weight of the losses of CLEVR's three types of answers, which is fixed at 1 in the official code. */
  readonly clevr_answer_loss_coef: number;
  /** Caption in which the alignment loss looks for the token of a span whose first or last character has none: the first of the batch, as in the official code, or the span's own. */
  readonly align_fallback: 'first_caption' | 'own_caption';
}
