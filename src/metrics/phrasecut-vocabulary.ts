/*
 * Vocabulary of PhraseCut's subsets. The lists are data of the PhraseCut tools (C. Wu et al., CVPR 2020; GitHub
 * ChenyunWu/PhraseCutDataset), as distributed with the official MDETR code (Apache-2.0). They are part of the metric's
 * definition, including their spelling and oddities (an apple is a noun attribute).
 */

/** Attributes by attribute subset. */
export const PHRASECUT_ATTRIBUTE_TYPES = {
  // prettier-ignore
  a_color: [
    'white', 'black', 'blue', 'green', 'brown', 'red', 'yellow', 'gray', 'grey', 'silver', 'orange', 'dark', 'pink',
    'tan', 'purple', 'beige', 'bright', 'gold', 'colorful', 'blonde', 'light brown', 'light blue', 'colored',
    'multicolored', 'maroon', 'dark blue', 'dark brown', 'golden', 'dark green', 'black and white', 'blond',
    'evergreen', 'light colored', 'dark grey', 'multi-colored', 'light skinned', 'dark colored', 'multi colored',
    'blue and white', 'light green', 'bright blue', 'red and white', 'dark gray', 'cream colored', 'light grey',
    'teal', 'navy blue', 'turquoise', 'murky', 'navy',
  ],
  // prettier-ignore
  a_shape: [
    'large', 'small', 'tall', 'long', 'big', 'short', 'round', 'grassy', 'little', 'thick', 'square', 'thin', 'sliced',
    'curved', 'rectangular', 'flat', 'high', 'wide', 'stacked', 'arched', 'chain link', 'circular', 'bent', 'cut',
    'huge', 'metallic', 'cream', 'pointy', 'extended', 'curly', 'skinny', 'pointed', 'narrow', 'piled', 'tiny',
    'vertical', 'oval', 'curled', 'row', 'straight', 'smaller', 'triangular', 'horizontal', 'crossed', 'sharp',
    'upside down', 'pointing', 'chopped', 'slice', 'rectangle', 'shallow', 'wispy', 'rounded', 'piece', 'scattered',
    'giant', 'slanted', 'tied', 'sparse', 'circle', 'patchy', 'tilted', 'fat', 'upright', 'larger',
  ],
  // prettier-ignore
  a_material: [
    'wooden', 'metal', 'wood', 'brick', 'cloudy', 'glass', 'concrete', 'plastic', 'stone', 'tiled', 'cement', 'dirt',
    'sandy', 'leafy', 'fluffy', 'rocky', 'snowy', 'leather', 'steel', 'paper', 'chocolate', 'tile', 'ceramic', 'grass',
    'furry', 'iron', 'water', 'stainless steel', 'hardwood', 'marble', 'khaki', 'cardboard', 'porcelain',
    'snow covered', 'asphalt', 'chrome', 'rock', 'wicker', 'rubber', 'denim', 'muddy', 'foamy', 'granite', 'bricked',
    'gravel', 'snow-covered', 'clay', 'sand', 'red brick',
  ],
  // prettier-ignore
  a_texture: [
    'clear', 'wet', 'striped', 'dirty', 'paved', 'shiny', 'painted', 'dry', 'plaid', 'clean', 'blurry', 'hazy',
    'floral', 'rusty', 'splashing', 'cloudless', 'worn', 'smooth', 'checkered', 'spotted', 'patterned', 'reflecting',
    'wrinkled', 'reflective', 'shining', 'choppy', 'rough', 'reflected', 'rusted', 'lined', 'fuzzy', 'blurred',
    'faded', 'printed', 'foggy', 'dusty', 'glazed', 'rippled', 'transparent', 'frosted',
  ],
  // prettier-ignore
  a_state: [
    'standing', 'open', 'sitting', 'walking', 'parked', 'hanging', 'playing', 'closed', 'empty', 'on', 'looking',
    'watching', 'flying', 'eating', 'skiing', 'covered', 'surfing', 'skateboarding', 'full', 'jumping', 'holding',
    'close', 'leaning', 'running', 'riding', 'folded', 'waiting', 'moving', 'laying', 'grazing', 'off', 'talking',
    'parking', 'calm', 'posing', 'crashing', 'melted', 'skating', 'seated', 'raised', 'playing tennis', 'sleeping',
    'opened', 'broken', 'resting', 'dried', 'snowboarding', 'crouching', 'driving', 'fried', 'swinging', 'cracked',
    'drinking', 'burnt', 'kneeling', 'stopped', 'rolling', 'sitting down', 'trimmed', 'breaking', 'crouched',
    'bending', 'dressed', 'standing up', 'wrapped', 'attached', 'floating', 'rolled up', 'lying', 'squatting', 'held',
    'cutting', 'outstretched', 'illuminated', 'reading', 'turned', 'swimming', 'turning',
  ],
  // prettier-ignore
  a_adj: [
    'young', 'old', 'smiling', 'bare', 'light', 'part', 'dead', 'cooked', 'framed', 'pictured', 'overcast', 'leafless',
    'beautiful', 'stuffed', 'growing', 'decorative', 'electrical', 'electric', 'bald', 'older', 'lit', 'fresh', 'lush',
    'wire', 'happy', 'puffy', 'sunny', 'ripe', 'male', 'palm', 'shirtless', 'female', 'asian', 'hairy', 'ornate',
    'bushy', 'deep', 'wavy', 'toasted', 'barefoot', 'potted', 'short sleeved', 'edge', 'wild', 'busy', 'decorated',
    'double decker', 'long sleeved', 'partial', 'soft', 'flat screen', 'healthy', 'floppy', 'plain', 'filled',
    'modern', 'long sleeve', 'overgrown', 'displayed', 'digital', 'cast', 'airborne', 'delicious', 'hard', 'carpeted',
    'heavy', 'new', 'grilled', 'sleeveless', 'pale', 'pretty', 'different', 'american', 'nice', 'fake', 'designed',
    'cute', 'manicured', 'written',
  ],
  // prettier-ignore
  a_noun: [
    'tennis', 'baseball', "man's", 'baby', 'train', "woman's", 'pine', 'tree', 'street', 'passenger', 'traffic',
    'computer', 'adult', 'ski', 'man', 'wine', 'burgundy', 'stop', 'snow', 'bathroom', 'city', 'teddy', 'kitchen',
    'patch', 'nike', 'woman', 'wall', 'fire', 'clock', 'window', 'straw', 'flower', 'ground', 'pizza', 'apple',
    'power', 'coffee', 'tennis player', 'toy', 'ocean',
  ],
  // prettier-ignore
  a_loc: [
    'distant', 'background', 'back', 'behind', 'in background', 'side', 'up', 'rear', 'down', 'top', 'far', 'overhead',
    'low', 'above', 'outdoors', 'in distance', 'in the background', 'inside', 'outdoor', 'bottom', 'in air',
  ],
  // prettier-ignore
  a_count: [
    'one', 'three', 'four', 'many', 'pair', 'several', 'double', 'grouped', 'group', 'together', 'bunch', 'alone',
    'set', 'single',
  ],
  a_bad: ['here', 'present', 'wearing', 'in the picture', 'some', 'daytime', 'existing', 'ready', 'made', 'in picture'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Substrings of "stuff" categories; all other categories are objects. */
// prettier-ignore
export const PHRASECUT_STUFF: readonly string[] = [
  'water', 'waterdrops', 'sea', 'river', 'fog', 'ground', 'field', 'platform', 'rail', 'pavement', 'road', 'gravel',
  'mud', 'dirt', 'snow', 'sand', 'solid', 'hill', 'mountain', 'stone', 'rock', 'wood', 'sky', 'cloud', 'vegetation',
  'straw', 'moss', 'branch', 'leaf', 'leaves', 'bush', 'tree', 'grass', 'forest', 'railing', 'net', 'cage', 'fence',
  'building', 'roof', 'tent', 'bridge', 'skyscraper', 'house', 'food', 'vegetable', 'salad', 'textile', 'banner',
  'blanket', 'curtain', 'cloth', 'napkin', 'towel', 'mat', 'rug', 'stairs', 'light', 'counter', 'mirror', 'cupboard',
  'cabinet', 'shelf', 'table', 'desk', 'door', 'window', 'floor', 'carpet', 'ceiling', 'wall', 'brick', 'metal',
  'plastic', 'paper', 'cardboard', 'street', 'shadow', 'sidewalk', 'plant', 'wave', 'reflection', 'ocean', 'beach',
];
