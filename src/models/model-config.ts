/** Sizes of a text encoder that is not one of the published ones. */
export interface TextEncoderConfig {
  /** Width of the hidden states. */
  readonly hidden_size: number;
  /** Number of layers. */
  readonly num_hidden_layers: number;
  /** Number of attention heads. */
  readonly num_attention_heads: number;
  /** Width inside the feed-forward layers. */
  readonly intermediate_size: number;
  /** Number of tokens. */
  readonly vocab_size: number;
  /** Learned positions; the first two are never used (padding, and an offset of RoBERTa's). */
  readonly max_position_embeddings: number;
  /** Size of pre-trained word vectors that a linear layer adds to the learned ones. Default: none. */
  readonly pretrained_size?: number | undefined;
}

/** Group-norm network for small images: a strided stem, then one residual block of stride 2 per further width. */
export interface SmallBackboneConfig {
  /** Output channels of the stem and of each block. */
  readonly widths: readonly number[];
  /** Groups of the group norms. */
  readonly groups: number;
}

/**
 * Settings of the network, under the names of the official command line. Written out, so that declarations need no schema
 * library; a test keeps it equal to `modelConfigSchema`.
 */
export interface ModelConfig {
  /** `resnet18` to `resnet101`, with group norm `resnet50-gn`, `timm_tf_efficientnet_b3_ns` and its relatives. */
  readonly backbone: string;
  /** Dilates the last stage of a ResNet instead of its stride. */
  readonly dilation: boolean;
  /** Position encoding of the image: `sine` or `learned`; `v2` and `v3` are the official aliases. */
  readonly position_embedding: 'sine' | 'v2' | 'learned' | 'v3';
  /** Width of the transformer, D. */
  readonly hidden_dim: number;
  /** Attention heads of the transformer. */
  readonly nheads: number;
  /** Encoder layers. */
  readonly enc_layers: number;
  /** Decoder layers. */
  readonly dec_layers: number;
  /** Width of the feed-forward layers. */
  readonly dim_feedforward: number;
  /** Dropout probability of the transformer; see also `no_dropout`. */
  readonly dropout: number;
  /** Object queries, Q: the maximum number of boxes for a caption. */
  readonly num_queries: number;
  /** Layer norm before each sub-layer instead of after it. */
  readonly pre_norm: boolean;
  /** Passes position and query embeddings to every attention layer, instead of adding them to the inputs once. */
  readonly pass_pos_and_query: boolean;
  /** `roberta-base`, `roberta-large`, `distilroberta-base`, or any name if `text_encoder` gives the sizes. */
  readonly text_encoder_type: string;
  /** Losses on the outputs of every decoder layer. */
  readonly aux_loss: boolean;
  /** Contrastive loss between whole images and captions. */
  readonly contrastive_loss: boolean;
  /** Width of the projections of `contrastive_loss`. */
  readonly contrastive_loss_hdim: number;
  /** Contrastive alignment loss between queries and caption tokens (section 2.2.2 of the paper). */
  readonly contrastive_align_loss: boolean;
  /** Adds a head that predicts which box the caption as a whole refers to. */
  readonly predict_final: boolean;
  /** Answers questions only: no boxes. */
  readonly no_detection: boolean;
  /** Adds question-answering heads. */
  readonly do_qa: boolean;
  /** One head for each type of answer, instead of one joint head. */
  readonly split_qa_heads: boolean;
  /** Official training sets by name: `flickr`, `mixed`, `gqa`, `refexp`, `phrasecut`, `modulated_lvis`, `clevr`, `clevrref`, `clevr_question`. */
  readonly combine_datasets: readonly string[];
  /** Segmentation head: `none` or `smallconv`. */
  readonly mask_model: 'v2' | 'none' | 'smallconv';
  /** Base of the wavelengths of the sine position encoding; 20 for small feature maps. */
  readonly position_temperature: number;
  /** `pre_norm` in the decoder too. */
  readonly decoder_pre_norm: boolean;
  /** The encoder sees the caption beside the image, as in the paper. If false, only the decoder does. */
  readonly text_in_encoder: boolean;
  /**
   * Start of the object queries. `none`: learned, as in the paper. `boxes`: from the boxes that a head on the encoder's
   * output proposes. `features`: also with the features of their positions as contents. `proposals`: from the proposals of a
   * detecting backbone (`nanodet`), with words linked to the image positions where they hold.
   */
  readonly query_selection: 'none' | 'boxes' | 'features' | 'proposals';
  /** Every decoder layer corrects the box of the layer before it, whose gradient is stopped. Needs `query_selection`. */
  readonly box_refinement: boolean;
  /** IoU with a better proposal above which a proposal is selected last; 1 disables suppression. */
  readonly selection_suppression: number;
  /** Decoder layer that the question heads read. The official code reads the first; `last` gives better answers. */
  readonly qa_layer: 'first' | 'last';
  /** Sizes of a text encoder that is not a published one. */
  readonly text_encoder?: TextEncoderConfig | undefined;
  /** `widths` and `groups` of a small group-norm network for small images, instead of `backbone`. */
  readonly small_backbone?: SmallBackboneConfig | undefined;
  /** Answers of the question heads: `gqa` or `clevr`. */
  readonly qa_dataset?: 'gqa' | 'clevr' | undefined;
}
