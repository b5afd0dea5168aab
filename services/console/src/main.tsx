// Puts the page into its document.
import { render } from 'preact';
import { App } from './app';
import './style.css';

const place = document.getElementById('app');
if (place) render(<App />, place);
