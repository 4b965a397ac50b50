/** Text of `<source><annotation>` in files of this package: it says how the coordinates count. */
export const OWN_VOC_SOURCE = 'mdetr, pixels count from 1';
