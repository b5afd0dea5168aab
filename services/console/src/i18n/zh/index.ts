// The Simplified Chinese dictionary.
import type { Dictionary } from '..';
import { form } from './form';
import { money } from './money';
import { shell } from './shell';
import { task } from './task';
import { work } from './work';

export const zh: Dictionary = { ...shell, ...task, ...form, ...work, ...money };
