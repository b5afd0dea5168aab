//! A decoder gives the same numbers however its tokens are grouped.

use anneal_model::decoder::Linear;
use anneal_model::formula::TinyModel;
use anneal_model::{
    Architecture, Compute, Decoder, DropoutState, GenerateOptions, Generator, KvCache, LoadOptions,
    LoraConfig, Prompt, Segments, WeightMode, formula, generate,
};
use candle_core::Tensor;

fn tiny(options: &LoadOptions, architecture: Architecture) -> Decoder {
    let model = TinyModel { architecture, layers: 4, ..TinyModel::default() };
    Decoder::initialise(&model.config(), options).unwrap()
}

const ALL: [Architecture; 5] = [
    Architecture::Llama,
    Architecture::Mistral,
    Architecture::Qwen2,
    Architecture::Qwen3,
    Architecture::SmolLm3,
];

fn bits(x: &Tensor) -> Vec<u32> {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn alone(decoder: &Decoder, ids: &[u32]) -> Tensor {
    decoder.hidden(ids, &Segments::new(&[ids.len()]).unwrap(), None).unwrap()
}

/// Runs sequences further, with the hidden states of every new token.
fn extend(decoder: &Decoder, batch: &mut [(&mut KvCache, &[u32])]) -> Result<Tensor, anneal_model::Error> {
    let tokens = batch.iter().map(|(_, tokens)| tokens.len()).sum();
    decoder.extend(batch, &(0..tokens).collect::<Vec<_>>())
}

#[test]
fn packed_cached_and_split_give_the_same_bits() {
    let (a, b): (Vec<u32>, Vec<u32>) = ((3..40).collect(), (100..117).collect());
    for architecture in ALL {
        for compute in [Compute::F32, Compute::Bf16] {
            let decoder = tiny(&LoadOptions { compute, ..LoadOptions::default() }, architecture);
            let (want_a, want_b) = (alone(&decoder, &a), alone(&decoder, &b));
            let both = decoder
                .hidden(&[a.clone(), b.clone()].concat(), &Segments::new(&[a.len(), b.len()]).unwrap(), None)
                .unwrap();
            assert_eq!(
                bits(&both),
                [bits(&want_a), bits(&want_b)].concat(),
                "{architecture:?} {compute:?} packed"
            );
            let (mut one, mut two) = (decoder.cache(), decoder.cache());
            let first = extend(&decoder, &mut [(&mut one, &a[..5])]).unwrap();
            let rest = extend(&decoder, &mut [(&mut two, &b[..]), (&mut one, &a[5..])]).unwrap();
            assert_eq!(bits(&first), bits(&want_a.narrow(0, 0, 5).unwrap()), "{architecture:?} first tokens");
            assert_eq!(bits(&rest.narrow(0, 0, b.len()).unwrap()), bits(&want_b), "{architecture:?} beside");
            let tail = rest.narrow(0, b.len(), a.len() - 5).unwrap();
            assert_eq!(
                bits(&tail),
                bits(&want_a.narrow(0, 5, a.len() - 5).unwrap()),
                "{architecture:?} cached"
            );
        }
    }
}

#[test]
fn rows_that_are_read_alone_have_the_bits_of_all_rows() {
    let (a, b): (Vec<u32>, Vec<u32>) = ((3..40).collect(), (100..117).collect());
    let segments = Segments::new(&[a.len(), b.len()]).unwrap();
    let ids = [a.clone(), b.clone()].concat();
    for architecture in ALL {
        for compute in [Compute::F32, Compute::Bf16] {
            let decoder = tiny(&LoadOptions { compute, ..LoadOptions::default() }, architecture);
            let all = decoder.hidden(&ids, &segments, None).unwrap();
            for rows in [&[0, 36, 37, 53][..], &[53], &[]] {
                let wanted = |x: &Tensor| -> Vec<u32> {
                    rows.iter().flat_map(|&row| bits(&x.narrow(0, row, 1).unwrap())).collect()
                };
                let some = decoder.hidden_at(&ids, &segments, rows).unwrap();
                assert_eq!(bits(&some), wanted(&all), "{architecture:?} {compute:?} {rows:?}");
                let (mut one, mut two) = (decoder.cache(), decoder.cache());
                let some = decoder.extend(&mut [(&mut one, &a[..]), (&mut two, &b[..])], rows).unwrap();
                assert_eq!(bits(&some), wanted(&all), "{architecture:?} {compute:?} {rows:?} cached");
                // Keys and values are there for every token, whatever was read.
                let next = extend(&decoder, &mut [(&mut two, &[7])]).unwrap();
                let want = alone(&decoder, &[&b[..], &[7]].concat());
                assert_eq!(bits(&next), bits(&want.narrow(0, b.len(), 1).unwrap()), "{architecture:?} next");
            }
            assert!(decoder.hidden_at(&ids, &segments, &[ids.len()]).is_err());
            assert!(decoder.extend(&mut [(&mut decoder.cache(), &a[..])], &[a.len()]).is_err());
        }
    }
}

#[test]
fn a_truncated_cache_forgets_and_a_failed_extension_changes_nothing() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let mut cache = decoder.cache();
    extend(&decoder, &mut [(&mut cache, &[5, 6, 7, 8])]).unwrap();
    assert!(extend(&decoder, &mut [(&mut cache, &[9, 100_000])]).is_err());
    assert_eq!(cache.len(), 4);
    cache.truncate(2);
    let again = extend(&decoder, &mut [(&mut cache, &[7, 8])]).unwrap();
    assert_eq!(bits(&again), bits(&alone(&decoder, &[5, 6, 7, 8]).narrow(0, 2, 2).unwrap()));
    let mut copy: KvCache = cache.clone();
    copy.truncate(0);
    assert!(copy.is_empty() && cache.len() == 4);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let error = decoder.hidden(&[1, 320], &Segments::new(&[2]).unwrap(), None).unwrap_err().to_string();
    assert!(error.contains("token id 320 in a vocabulary of 320"), "{error}");
    assert!(decoder.hidden(&[1, 2], &Segments::new(&[3]).unwrap(), None).is_err());
    let mut config = TinyModel { architecture: Architecture::Mistral, ..TinyModel::default() }.config();
    config.sliding_window = Some(4);
    let windowed = Decoder::initialise(&config, &LoadOptions::default()).unwrap();
    assert!(windowed.hidden(&[1; 4], &Segments::new(&[4]).unwrap(), None).is_ok());
    let error = windowed.hidden(&[1; 5], &Segments::new(&[5]).unwrap(), None).unwrap_err().to_string();
    assert!(error.contains("window"), "{error}");
}

#[test]
fn every_parameter_of_a_full_model_gets_a_gradient() {
    for architecture in ALL {
        let options = LoadOptions { weights: WeightMode::Trainable, ..LoadOptions::default() };
        let decoder = tiny(&options, architecture);
        let loss = alone(&decoder, &[5, 9, 200, 7, 11]).sqr().unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let mut names: Vec<String> = decoder.config().tensor_shapes().into_iter().map(|(n, _)| n).collect();
        for (name, var) in decoder.trainable() {
            assert!(gradients.get(&var).is_some(), "{architecture:?}: {name} has no gradient");
            names.retain(|n| *n != name);
        }
        assert!(names.is_empty(), "{architecture:?}: {names:?} are not trained");
    }
}

#[test]
fn only_adapters_are_trained_and_they_start_at_nothing() {
    for weights in
        [WeightMode::Frozen, WeightMode::Nf4 { double_quant: false }, WeightMode::Nf4 { double_quant: true }]
    {
        let lora = LoraConfig { dropout: 0.5, ..LoraConfig::default() };
        let plain = tiny(&LoadOptions { weights, ..LoadOptions::default() }, Architecture::Llama);
        let decoder =
            tiny(&LoadOptions { weights, lora: Some(lora), ..LoadOptions::default() }, Architecture::Llama);
        let ids = [5, 9, 200, 7, 11];
        assert_eq!(bits(&alone(&plain, &ids)), bits(&alone(&decoder, &ids)), "B is zero");
        assert_eq!(decoder.trainable().len(), 4 * 7 * 2);
        assert!(decoder.trainable().iter().all(|(n, _)| n.starts_with("base_model.model.model.layers.")));
        for (name, var) in decoder.trainable() {
            if name.contains("lora_B") {
                var.set(&(var.ones_like().unwrap() * 0.05).unwrap()).unwrap();
            }
        }
        let changed = bits(&alone(&decoder, &ids));
        assert_ne!(changed, bits(&alone(&plain, &ids)));
        let off = decoder.with_adapter_disabled(|d| alone(d, &ids));
        assert_eq!(bits(&off), bits(&alone(&plain, &ids)), "switched off");
        let segments = Segments::new(&[ids.len()]).unwrap();
        let mut state = DropoutState::new(1);
        let dropped = bits(&decoder.hidden(&ids, &segments, Some(&mut state)).unwrap());
        assert_ne!(dropped, changed, "dropout drops");
        assert_eq!(dropped, bits(&decoder.hidden(&ids, &segments, Some(&mut DropoutState::new(1))).unwrap()));
        let next = bits(&decoder.hidden(&ids, &segments, Some(&mut state)).unwrap());
        assert_ne!(dropped, next, "the state moves on");
    }
}

#[test]
fn nf4_takes_four_and_a_half_bits_a_weight() {
    let model = |weights| {
        let options = LoadOptions { weights, ..LoadOptions::default() };
        tiny(&options, Architecture::Llama)
    };
    let (frozen, nf4) = (model(WeightMode::Frozen), model(WeightMode::Nf4 { double_quant: false }));
    let config = nf4.config();
    let linears: usize =
        Linear::ALL.iter().map(|l| l.shape(config)).map(|(o, i)| o * i * config.layers).sum();
    let rest = 4 * (config.vocab_size * config.hidden_size + config.hidden_size);
    // Half a byte a code, and a scale of four bytes for 64 of them.
    assert_eq!(nf4.weight_bytes(), rest + linears / 2 + linears / 64 * 4);
    // Frozen weights are kept in whole panels of outputs.
    assert!(frozen.weight_bytes() >= rest + linears * 4);
}

#[test]
fn generation_does_not_depend_on_the_batch() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Qwen3);
    let tokenizer = formula::tiny_tokenizer().unwrap();
    let prompts: Vec<Vec<u32>> = (1..6).map(|n| (10..10 + 3 * n).collect()).collect();
    for temperature in [0.0, 1.0] {
        let options = GenerateOptions {
            max_new_tokens: 12,
            temperature,
            top_p: 0.9,
            seed: 3,
            ..GenerateOptions::default()
        };
        let together = generate(&decoder, &tokenizer, &prompts, &options).unwrap();
        let one = GenerateOptions { batch_size: 1, ..options.clone() };
        assert_eq!(together, generate(&decoder, &tokenizer, &prompts, &one).unwrap());
        assert!(together.iter().all(|g| g.ids.len() <= 12));
    }
    let options = GenerateOptions { max_new_tokens: 12, ..GenerateOptions::default() };
    let free = generate(&decoder, &tokenizer, &prompts[..1], &options).unwrap().remove(0);
    let stop = free.text.chars().nth(2).unwrap().to_string();
    let cut = generate(
        &decoder,
        &tokenizer,
        &prompts[..1],
        &GenerateOptions { stop: vec![stop.clone()], ..options.clone() },
    )
    .unwrap();
    assert!(!cut[0].text.contains(&stop) && free.text.starts_with(&cut[0].text));
    let stop_ids = vec![free.ids[0]];
    let none =
        generate(&decoder, &tokenizer, &prompts[..1], &GenerateOptions { stop_ids, ..options.clone() })
            .unwrap();
    assert!(none[0].ids.is_empty());
    assert!(generate(&decoder, &tokenizer, &[vec![]], &options).is_err());
}

#[test]
fn generation_does_not_depend_on_places_pieces_memory_or_shared_beginnings() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let tokenizer = formula::tiny_tokenizer().unwrap();
    let begin: Vec<u32> = (30..70).collect();
    let prompts: Vec<Vec<u32>> = (0..9)
        .map(|n| if n % 3 == 0 { vec![11 + n] } else { [begin.clone(), vec![5 + n; n as usize]].concat() })
        .collect();
    let options = GenerateOptions {
        max_new_tokens: 20,
        temperature: 0.8,
        batch_size: 1,
        seed: 9,
        ..GenerateOptions::default()
    };
    let alone = generate(&decoder, &tokenizer, &prompts, &options).unwrap();
    let some_tokens = 120 * decoder.cache_bytes_a_token();
    for (batch_size, batch_tokens, cache_bytes) in
        [(4, 2048, 1 << 30), (9, 7, 1 << 30), (3, 1, 1 << 30), (9, 2048, some_tokens), (9, 16, 0)]
    {
        let options = GenerateOptions { batch_size, batch_tokens, cache_bytes, ..options.clone() };
        let together = generate(&decoder, &tokenizer, &prompts, &options).unwrap();
        assert_eq!(alone, together, "{batch_size} {batch_tokens} {cache_bytes}");
    }
}

#[test]
fn guessing_ahead_changes_no_continuation() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let tokenizer = formula::tiny_tokenizer().unwrap();
    let begin: Vec<u32> = (30..50).cycle().take(50).collect();
    let ids: Vec<Vec<u32>> = (0..5).map(|n| [begin.clone(), vec![31 + n]].concat()).collect();
    let passes = |options: &GenerateOptions| {
        let prompts: Vec<Prompt<'_>> = ids.iter().map(|ids| Prompt { ids, seed: 4, stream: 0 }).collect();
        let mut generator = Generator::new(&decoder, &tokenizer, &prompts, options).unwrap();
        let mut passes = 0;
        while generator.step().unwrap().is_some() {
            passes += 1;
        }
        passes
    };
    for temperature in [0.0, 0.5, 2.0] {
        let none = GenerateOptions {
            max_new_tokens: 60,
            temperature,
            guessed_tokens: 0,
            ..GenerateOptions::default()
        };
        let expected = generate(&decoder, &tokenizer, &ids, &none).unwrap();
        for guessed_tokens in [2, 7, 16, 200] {
            let options = GenerateOptions { guessed_tokens, ..none.clone() };
            let got = generate(&decoder, &tokenizer, &ids, &options).unwrap();
            assert_eq!(got, expected, "{temperature} {guessed_tokens}");
        }
        let stop = vec![expected[0].text.chars().skip(5).take(2).collect::<String>()];
        let [stopped, guessed] = [0, 50].map(|guessed_tokens| {
            let options = GenerateOptions { stop: stop.clone(), guessed_tokens, ..none.clone() };
            generate(&decoder, &tokenizer, &ids, &options).unwrap()
        });
        assert_eq!(stopped, guessed);
        if temperature == 0.0 {
            let ahead = GenerateOptions { guessed_tokens: 50, ..none.clone() };
            assert!(passes(&ahead) * 2 < passes(&none), "{} and {}", passes(&ahead), passes(&none));
        }
    }
}

#[test]
fn a_place_is_given_on_as_soon_as_a_sequence_ends() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let tokenizer = formula::tiny_tokenizer().unwrap();
    let options = GenerateOptions { max_new_tokens: 6, batch_size: 2, ..GenerateOptions::default() };
    let long: Vec<u32> = (5..35).collect();
    let ids = [vec![9], long, vec![10]];
    let prompts: Vec<Prompt<'_>> = ids.iter().map(|ids| Prompt { ids, seed: 0, stream: 0 }).collect();
    let none = GenerateOptions { max_new_tokens: 0, ..options.clone() };
    let mut nothing = Generator::new(&decoder, &tokenizer, &prompts, &none).unwrap();
    assert_eq!(nothing.step().unwrap().unwrap().len(), 3);
    assert!(nothing.step().unwrap().is_none());
    let mut generator = Generator::new(&decoder, &tokenizer, &prompts, &options).unwrap();
    let mut passes = 0;
    let mut ended = 0;
    while let Some(more) = generator.step().unwrap() {
        passes += 1;
        ended += more.len();
    }
    assert_eq!(ended, 3);
    assert!(passes <= 13, "{passes} passes: two of six tokens at once, then one");
}

#[test]
fn a_copied_beginning_goes_on_by_itself() {
    let decoder = tiny(&LoadOptions::default(), Architecture::Llama);
    let mut cache = decoder.cache();
    extend(&decoder, &mut [(&mut cache, &[5, 6, 7, 8])]).unwrap();
    let mut copy = cache.beginning(2);
    assert_eq!((copy.len(), cache.len()), (2, 4));
    let other = extend(&decoder, &mut [(&mut copy, &[9])]).unwrap();
    assert_eq!(bits(&other), bits(&alone(&decoder, &[5, 6, 9]).narrow(0, 2, 1).unwrap()));
    assert_eq!(cache.len(), 4);
}
