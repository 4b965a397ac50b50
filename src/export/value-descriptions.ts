import { IMAGENET_MEAN, IMAGENET_STD } from '../data/sampling/collate.ts';
import type { ExportedProgram } from '../model-folder/export-manifest.ts';

/** Descriptions of the programs of an exported folder. */
export const PROGRAM_DESCRIPTIONS: Readonly<Record<ExportedProgram, string>> = {
  image: 'Backbone and projection of MDETR. Run it once per image; its outputs serve any number of captions.',
  text: 'Text encoder, joint transformer and heads of MDETR. Run it for captions about images that went through the image program.',
  masks:
    'Segmentation head of MDETR. Run it for chosen queries of one caption each; results do not depend on the other queries.',
  model: 'MDETR: images and one caption each to boxes, the tokens that each box refers to, answers and masks.',
};

const PIXELS = `RGB divided by 255, then normalized with mean (${IMAGENET_MEAN.join(', ')}) and standard deviation (${IMAGENET_STD.join(', ')}). Images of a batch are padded with 0 at the right and the bottom.`;
const TOKENS = 'Token ids of the captions, special tokens included, padded at the right.';
const ANSWER =
  'Logits of a question head; see answers.json or, for CLEVR, the order of the official code. Softmax gives probabilities.';

/** Descriptions of inputs and outputs by name; a name means the same in every program. */
export const VALUE_DESCRIPTIONS: Readonly<Record<string, string>> = {
  image: PIXELS,
  padding: 'True on padding.',
  pixel_values: PIXELS,
  pixel_mask: '0 on padding, 1 elsewhere. Any height and width: it is resized to the feature map.',
  input_ids: TOKENS,
  attention_mask: '1 on tokens, 0 on padding.',
  image_index: 'Index of the image that each caption is about.',
  src: 'Projected last feature map of the backbone.',
  feature_padding: 'Padding at the size of the feature map, true on padding.',
  pyramid0: 'Feature map for the segmentation head, coarse.',
  pyramid1: 'Feature map for the segmentation head.',
  pyramid2: 'Feature map for the segmentation head, fine.',
  pred_logits:
    'For each query, logits of the caption tokens that it refers to; the last of the 256 classes means "no object". Softmax gives probabilities.',
  pred_boxes: 'For each query, its box as center x, center y, width, height, relative to the image without padding.',
  pred_isfinal:
    'For each query, the logit of being the object that the whole caption refers to. Sigmoid gives a probability.',
  proj_queries: 'Queries in the space of contrastive alignment, of unit length.',
  proj_tokens: 'Caption tokens in the space of contrastive alignment, of unit length.',
  hs: 'Hidden states of the queries, for the masks program.',
  image_memory: 'Image part of the encoder output, for the masks program.',
  mask_hs: 'Rows of hs: the queries whose masks are wanted.',
  mask_samples: 'Index of the caption that each chosen query belongs to.',
  pred_masks: 'Mask logits at the size of the finest feature map; above 0 is inside. Resize them to the padded image.',
  pred_answer: ANSWER,
  pred_answer_type: `Type of the answer, which selects the head to read. ${ANSWER}`,
  pred_answer_obj: ANSWER,
  pred_answer_rel: ANSWER,
  pred_answer_attr: ANSWER,
  pred_answer_cat: ANSWER,
  pred_answer_global: ANSWER,
  pred_answer_binary: 'Logit of the answer "yes". Sigmoid gives a probability.',
  pred_answer_reg: `Answers that are numbers, from 0. ${ANSWER}`,
};
