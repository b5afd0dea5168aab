// One sample: what was asked, the choices with their log-probabilities, what came back, and how it was scored.
import type { Sample } from '../../api/types';
import * as format from '../../format';
import { t, word } from '../../i18n';

const TONES: Record<string, string> = { pass: 'good', fail: 'bad', unextracted: 'wait' };

export function SampleCard({ sample }: { sample: Sample }) {
  const { outcome } = sample;
  return (
    <article class="card sample">
      <header>
        {outcome && <span class={`badge ${TONES[outcome] ?? ''}`}>{word('outcome', outcome)}</span>}
        <span>{sample.benchmark}{sample.subject && ` · ${sample.subject}`} · #{JSON.stringify(sample.doc_id)}</span>
        {sample.filter !== 'none' && <small class="dim">{sample.filter}</small>}
        <span class="end number dim">{Object.entries(sample.scores).map(([name, value]) => `${name} ${typeof value === 'number' ? format.figure(value) : String(value)}`).join(' · ')}</span>
      </header>
      <div class="sample-parts">
        <div>
          <h3>{t('sample.prompt')}</h3>
          <pre class="text">{sample.prompt}</pre>
        </div>
        <div>
          {sample.choices.length > 0 ? <Choices sample={sample} /> : <Answer sample={sample} />}
        </div>
      </div>
    </article>
  );
}

function Choices({ sample }: { sample: Sample }) {
  const told = sample.choices.map((choice) => choice.log_probability ?? Number.NEGATIVE_INFINITY);
  const best = Math.max(...told);
  return (
    <table class="choices">
      <thead><tr><th>{t('sample.choice')}</th><th class="right">{t('sample.log_probability')}</th></tr></thead>
      <tbody>
        {sample.choices.map((choice, place) => (
          <tr key={place} class={choice.chosen ? 'chosen' : ''}>
            <td>
              {choice.text.trim() || <em>{t('sample.nothing')}</em>}
              {choice.text === sample.answer && <span class="badge good">{t('sample.answer')}</span>}
              {choice.chosen && <span class="badge live">{t('sample.preferred')}</span>}
            </td>
            <td class="right">
              <span class="score">
                {choice.log_probability != null && <meter min={0} max={1} value={Math.exp(choice.log_probability - best)} aria-hidden="true" />}
                <span class="number">{choice.log_probability == null ? '−∞' : choice.log_probability.toFixed(3)}</span>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Answer({ sample }: { sample: Sample }) {
  return (
    <>
      <h3>{t('sample.answer')}</h3>
      <pre class="text">{sample.answer}</pre>
      <h3>{t('sample.output')}</h3>
      <pre class="text">{sample.output ?? t('sample.nothing')}</pre>
      {sample.extracted != null && <><h3>{t('sample.extracted')}</h3><pre class="text">{sample.extracted}</pre></>}
    </>
  );
}
