// A choice among few, all of them seen at once: radio buttons that look like one switch.
import type { ComponentChildren } from 'preact';
import { Field, type FieldProps } from './Field';

export interface Segment {
  value: string;
  name: ComponentChildren;
  isDisabled?: boolean;
  why?: string;
}

export function Segments(props: FieldProps & { value: string; onChange(value: string): void; choices: readonly Segment[] }) {
  return (
    <Field {...props}>
      {(wiring) => (
        <div class="segments" role="radiogroup" tabIndex={-1} id={wiring.id} aria-label={props.label} aria-describedby={wiring['aria-describedby']}>
          {props.choices.map((choice) => (
            <label key={choice.value} class={choice.isDisabled ? 'off' : ''} title={choice.why}>
              <input
                type="radio"
                name={wiring.id}
                value={choice.value}
                checked={props.value === choice.value}
                disabled={choice.isDisabled}
                onChange={() => props.onChange(choice.value)}
                onBlur={wiring.onBlur}
              />
              <span>{choice.name}</span>
            </label>
          ))}
        </div>
      )}
    </Field>
  );
}
