/**
 * Settings of a training run besides its data. Written out, so that declarations need no schema library; a test keeps them
 * equal to the schemas in `slices/`, which have the defaults.
 */

/** Config slice of the initial weights and of frozen parameters. */
export interface InitializationConfig {
  /** Model to start from: model folder, `.pth`, `.safetensors`, or a name. Also fills in the network and `image_size`. */
  readonly load: string;
  /** Backbone weights if nothing is loaded: torchvision's or timm's file, or the name of a pulled one (`resnet101`). */
  readonly backbone_weights: string;
  /** Text-encoder weights if nothing is loaded: a `model.safetensors`, or the name of a pulled one (`roberta-base-weights`). */
  readonly text_encoder_weights: string;
  /** Pre-trained word vectors of `tokenizer` for a text encoder with `pretrained_size`, if nothing is loaded: a file that `npm run words` makes. */
  readonly word_vectors: string;
  /** Trains the mask head alone, on the detector of an earlier training stage or of `load`. */
  readonly freeze_detector: boolean;
  /** Freezes the text encoder. */
  readonly freeze_text_encoder: boolean;
  /** Detector to load and freeze, to train masks on it. */
  readonly frozen_weights?: string | undefined;
  /** Seed of the initial values. */
  readonly init_seed?: number | undefined;
}

/** Kinds and difficulty of the texts that are made for scenes. */
export interface TextStage {
  /** `plain`: a few patterns for each meaning. `wide`: hundreds, with synonyms, other word orders, courtesies and typing errors. */
  readonly language: 'plain' | 'wide';
  /** Fraction of the texts that are in the plain language whatever `language` is. */
  readonly plain_fraction: number;
  /** Relative frequency of captions. */
  readonly caption: number;
  /** Relative frequency of referring expressions. */
  readonly expression: number;
  /** Relative frequency of questions. */
  readonly question: number;
  /** Relative frequency of captions of absent objects. */
  readonly negative: number;
  /** Minimum number of phrases in a caption. */
  readonly min_phrases: number;
  /** Maximum number of phrases in a caption. */
  readonly max_phrases: number;
  /** Probability that a phrase refers to a group of objects. */
  readonly groups: number;
  /** Probability that a phrase would fit other objects without its color. */
  readonly needs_color: number;
  /** Probability that a phrase would fit other objects without its material. */
  readonly needs_material: number;
  /** Maximum number of referring expressions in one text, about different objects. */
  readonly joined_expressions: number;
  /** Image-text pairs of the run after which the next entry applies; the last entry has none. */
  readonly until_pairs?: number | undefined;
  /** Types of referring expressions. */
  readonly expression_types?:
    readonly ('attributes' | 'relation' | 'two relations' | 'superlative' | 'same')[] | undefined;
  /** Types of questions. */
  readonly question_types?:
    | readonly (
        | 'exist'
        | 'count'
        | 'equal_integer'
        | 'less_than'
        | 'greater_than'
        | 'query_size'
        | 'query_color'
        | 'query_material'
        | 'query_shape'
        | 'equal_size'
        | 'equal_color'
        | 'equal_material'
        | 'equal_shape'
      )[]
    | undefined;
}

/** Texts about procedural scenes. */
export interface SceneTextConfig {
  /** Texts that share one image's pass through the backbone. */
  readonly texts_per_image: number;
  /** Kinds of texts about a scene, as a curriculum; see below. */
  readonly texts: readonly TextStage[];
}

/** Resizing and random transforms of images. */
export interface AugmentationConfig {
  /** Size of images in validation and in the preprocessing of the model folder: `shortest_edge` and `longest_edge`, in pixels; with `squeeze` a square of `shortest_edge`. */
  readonly image_size: {
    readonly shortest_edge: number;
    readonly longest_edge: number;
    readonly squeeze?: boolean | undefined;
  };
  /** Scenes: probability of a horizontal flip. Texts are made after the flip. */
  readonly horizontal_flip_prob: number;
  /** Random resizing and cropping: the official transforms of photographs (in proportion to `image_size`) or of CLEVR; `light`, for few images: flips, with left and right exchanged in the caption, and crops around all boxes; or none, which resizes as the validation does. */
  readonly augmentation?: 'photo' | 'clevr' | 'light' | 'none' | undefined;
}

/** The optimizer and what it updates. */
export interface OptimizerSettings {
  /**
   * `adam` and `adamw` are both AdamW, as in the official code; `sgd` is SGD with momentum; `muon` is Muon for the matrices in the
   * layers of text encoder, encoder and decoder, and AdamW for the rest.
   */
  readonly optimizer: 'adam' | 'adamw' | 'sgd' | 'muon';
  /** Factor of the learning rates of the matrices that Muon updates. */
  readonly muon_lr_factor: number;
  /** Decoupled weight decay. */
  readonly weight_decay: number;
  /** Parameters that decay: `all`, as in the official code, or `matrices`, which excludes biases and norms. */
  readonly weight_decay_params: 'all' | 'matrices';
  /** Maximum norm of the gradient; 0 disables clipping. */
  readonly clip_max_norm: number;
  /** Batches whose gradients are averaged in a step; corresponds to the number of GPUs in the official code. */
  readonly accumulate: number;
  /** Disables all dropout, also where the official code always has it (text encoder, feature resizer). */
  readonly no_dropout: boolean;
  /** `backbone` trains the backbone with `backbone_auxiliary_loss` alone. */
  readonly objective: 'all' | 'backbone';
  /** Maximum number of boxes of a batch whose masks are trained, evenly chosen; 0 for all. */
  readonly max_mask_boxes: number;
  /** Keeps a moving average of the weights, which is validated and saved as the model. */
  readonly ema: boolean;
  /** Decay of the moving average per step. */
  readonly ema_decay: number;
}

/** Length of the training and its learning rates. */
export interface ScheduleConfig {
  /** Epochs of the training. */
  readonly epochs: number;
  /** Learning rate of everything but the backbone and the text encoder. */
  readonly lr: number;
  /** Learning rate of the backbone; 0 or less freezes it. */
  readonly lr_backbone: number;
  /** Learning rate of the text encoder. */
  readonly text_encoder_lr: number;
  /** Learning rate of pre-trained word vectors (`pretrained_size`) as a fraction of `text_encoder_lr`. */
  readonly word_vectors_lr_factor: number;
  /** `step`, `multistep`, `linear_with_warmup` (text encoder linear, the others in steps), `all_linear_with_warmup`, or `all_cosine_with_warmup` (not official). */
  readonly schedule: 'step' | 'multistep' | 'linear_with_warmup' | 'all_linear_with_warmup' | 'all_cosine_with_warmup';
  /** Epochs after which `step` divides the learning rates by ten and `multistep` first halves them. */
  readonly lr_drop: number;
  /** Fraction of the steps that warm up linearly. */
  readonly fraction_warmup_steps: number;
  /** Fraction of the learning rates at which `all_cosine_with_warmup` ends. */
  readonly final_lr_fraction: number;
  /** When the learning rates of a step are set. The official code sets them after the step, so that step 0 has full rates. */
  readonly adjust_lr: 'after_step' | 'before_step';
  /** Steps of the training, instead of `epochs`; the schedule ends with them. */
  readonly max_steps?: number | undefined;
}

/** Weights of the auxiliary losses. */
export interface AuxiliaryConfig {
  /** Weight of the head that finds the mentioned objects in the encoder's output. */
  readonly encoder_auxiliary_loss: number;
  /** Weight of the head that classifies all objects in the backbone's last feature map. For scenes. */
  readonly backbone_auxiliary_loss: number;
  /** Weight of the head that predicts what a question compares or counts. For scenes with CLEVR's answers. */
  readonly answer_auxiliary_loss: number;
  /**
   * Weight of the loss that makes questions attend to the positions and the object queries of what they count or compare. For
   * scenes with CLEVR's answers and `query_selection`.
   */
  readonly object_auxiliary_loss: number;
  /** Weight of the loss that makes words attend to what they name in the first encoder layer. For scenes. */
  readonly word_auxiliary_loss: number;
  /**
   * Weight of the loss that makes objects attend to the objects that a caption compares them with, in the second and
   * third encoder layer. For scenes.
   */
  readonly relation_auxiliary_loss: number;
}

/** When and on what the model is validated during training. */
export interface ValidationConfig {
  /** Epochs between validations. */
  readonly eval_skip: number;
  /** Validates before the first step, too, so that the best model is never worse than the initial one. */
  readonly validate_start?: boolean | undefined;
  /** Ends the run after this many validations in a row that are not better than the best one. */
  readonly patience?: number | undefined;
  /** Maximum number of images of each validation set; 0 for all. */
  readonly max_validation_images: number;
  /** Steps between validations, instead of `eval_skip`. */
  readonly validate_every?: number | undefined;
}

/** The run: its folder, seed, device and logs. */
export interface RunConfig {
  /** Folder of the run. */
  readonly output_dir: string;
  /** Title of the model card. */
  readonly run_name: string;
  /** Seed of the order of rows, augmentation and dropout. */
  readonly seed: number;
  /** `cpu`, or `webgpu`, `cuda`, `coreml`, `dml` if the machine supports it. */
  readonly device: string;
  /** Ends the run with an error if a node of a program runs on the CPU instead of `device`. */
  readonly strict_device?: boolean | undefined;
  /** Parts of a batch, each of some of its images, that are computed side by side on the threads: small networks use few cores better this way. */
  readonly batch_parts?: number | undefined;
  /** Copies of the network in threads of their own, which share the `accumulate` batches of every step. */
  readonly replicas: number;
  /** Divides the optimizer's state among the replicas and processes of a run. */
  readonly shard_optimizer: boolean;
  /** Precision in which replicas and processes exchange gradients. */
  readonly gradient_exchange: 'float32' | 'bfloat16';
  /** Steps between entries of the log. */
  readonly log_every: number;
  /** Steps between saves of the resumable state, in addition to the ends of epochs. */
  readonly save_every: number;
  /** Writes the log also in another program's format, at every save: `mlflow` for MLflow's file store (`mlruns/` in the folder of the run), `wandb-offline` for an offline run of Weights & Biases (`wandb/`). Nothing is sent. */
  readonly report_to?: 'mlflow' | 'wandb-offline' | undefined;
  /** Threads of the network; with replicas, of each. */
  readonly threads?: number | undefined;
}
