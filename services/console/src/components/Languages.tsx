// The switch between the languages that the page speaks.
import { language, speak, t, type Language } from '../i18n';

const NAMES: Record<Language, string> = { en: 'English', zh: '中文' };

export function Languages() {
  return (
    <div class="languages" role="group" aria-label={t('label.language')}>
      {(Object.keys(NAMES) as Language[]).map((one) => (
        <button key={one} type="button" lang={one === 'zh' ? 'zh-CN' : 'en'} aria-pressed={language.value === one} onClick={() => speak(one)}>{NAMES[one]}</button>
      ))}
    </div>
  );
}
