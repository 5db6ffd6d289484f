//! Pictures, sounds, text and streams as `model.toml` describes them: what is loaded, and what a mistake says.

use emberlite_host::data::{Draw, Labels, Set, Source, collect};
use emberlite_host::spec::{Sets, Spec};
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("media-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(folder: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A picture of one colour, at another size than the model's.
fn picture(folder: &Path, path: &str, colour: u8) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(6, 9, Rgb([colour, 0, 255])).save_with_format(path, ImageFormat::Png).unwrap();
}

fn spec(folder: &Path, data: &str, input: &str) -> Result<Spec, String> {
    let text = format!("{data}\n[model]\ninput = {input}\nlayers = [{{ op = \"linear\", outputs = 2 }}]\n");
    Spec::parse("model.toml", &text, folder).map_err(|error| error.to_string())
}

fn sets(folder: &Path, data: &str, input: &str) -> Result<Sets, String> {
    spec(folder, data, input)?.load_sets().map_err(|error| error.to_string())
}

fn classes(set: &dyn Source) -> Vec<u32> {
    match set.labels() {
        Labels::Class { ids, .. } => ids.clone(),
        _ => panic!("no classes"),
    }
}

#[test]
fn an_image_folder_is_divided_and_decoded_to_the_models_size() {
    let folder = folder("images");
    for (class, colour) in [("dark", 10), ("light", 200)] {
        (0..10).for_each(|i| picture(&folder, &format!("set/{class}/{i}.png"), colour + i));
    }
    let data = "[data]\nimage_folder = \"set\"\nvalidation = { by = \"stratified\", share = 0.2 }";
    let parts = sets(&folder, data, "[3, 4, 4]").unwrap();
    let validation = parts.validation.unwrap();
    assert_eq!((parts.train.len(), classes(&validation)), (16, vec![0, 0, 1, 1]));
    let mut pixels = vec![0.0; 48];
    validation.read(Draw { indices: &[3], epoch: None }, &mut pixels).unwrap();
    assert!((200.0..210.0).contains(&pixels[0]) && pixels[16] == 0.0 && pixels[47] == 255.0);
    assert_eq!(sets(&folder, data, "[1, 8, 8]").unwrap().train.shape(), [1, 8, 8]);

    // Parts of its own, one of them elsewhere.
    for class in ["dark", "light"] {
        picture(&folder, &format!("parts/train/{class}/1.png"), 1);
        picture(&folder, &format!("parts/test/{class}/1.png"), 2);
        picture(&folder, &format!("more/{class}/1.png"), 3);
    }
    let data =
        "[data]\nimage_folder = \"parts\"\nvalidation = { image_folder = \"more\" }\n[preprocessing]\nscale = 0.5";
    let parts = sets(&folder, data, "[3, 4, 4]").unwrap();
    let first = |set: &dyn Source| collect(set, 1 << 20).unwrap().features[0];
    let all = [&parts.train, &parts.validation.unwrap(), &parts.test.unwrap()].map(|set| first(set));
    assert_eq!(all, [0.5, 1.5, 1.0]);

    let wrong = |data: &str, input| sets(&folder, data, input).unwrap_err();
    let text = wrong("[data]\nimage_folder = \"set\"", "[64]");
    assert_eq!(
        text,
        "model.toml:4: `model.input`: expected the shape of pictures: [channels, height, width], found 64"
    );
    assert!(wrong("[data]\nimage_folder = \"set\"", "[2, 4, 4]").contains("pictures have 1 (grey) or 3 (RGB)"));
    let text = wrong("[data]\nimage_folder = \"set\"\nresize = \"crob\"", "[3, 4, 4]");
    assert_eq!(text, "model.toml:3: `data.resize`: unknown way to resize `crob`; did you mean `crop`?");
    let text = wrong("[data]\nimage_folder = \"parts\"\ntest = { by = \"fraction\", share = 0.5 }", "[3, 4, 4]");
    assert_eq!(text, "model.toml:3: `data.test`: the set has a test part of its own; remove one of the two");
    let text = wrong("[data]\nimage_folder = \"set\"\ncorpus = \"x\"", "[3, 4, 4]");
    assert_eq!(text, "model.toml:3: `data.corpus`: give one of image_folder and corpus");
    let text = wrong("[data]\nimage_folder = \"set\"\ntest = { audio_folder = \"x\" }", "[3, 4, 4]");
    assert!(text.starts_with("model.toml:3: `data.test.audio_folder`: must be of the same kind"), "{text}");
    assert!(wrong("[data]\nimage_folder = \"absent\"", "[3, 4, 4]").contains("check the path"));

    let given = "[data]\nimage_folder = \"set\"\n[preprocessing]\nmean = [1, 2, 4]\nstd = [1, 2, 8]";
    let spec = spec(&folder, given, "[3, 4, 4]").unwrap();
    let fitted = spec.fit_sets(&spec.load_sets().unwrap()).unwrap().unwrap();
    assert_eq!((fitted.mean, fitted.inverse_std), (vec![1.0, 2.0, 4.0], vec![1.0, 0.5, 0.125]));
    let text = wrong(&given.replace("[1, 2, 8]", "[1, 2, 0]"), "[3, 4, 4]");
    assert!(
        text.starts_with("model.toml:5: `preprocessing.std`: expected as many positive numbers as `mean`"),
        "{text}"
    );
    assert!(wrong("[data]\nimage_folder = \"set\"\n[preprocessing]\nmean = [1]", "[3, 4, 4]").contains("go together"));

    write(&folder, "set/dark/0.png", "not a picture");
    let parts = sets(&folder, "[data]\nimage_folder = \"set\"\nunreadable = \"skip\"", "[3, 4, 4]").unwrap();
    assert_eq!((parts.train.len(), parts.skipped), (19, 1));
    let refused = sets(&folder, "[data]\nimage_folder = \"set\"", "[3, 4, 4]").unwrap();
    assert!(collect(&refused.train, 1 << 20).unwrap_err().to_string().contains("dark/0.png: byte 0: expected a whole"));
}

#[test]
fn sounds_have_the_shape_of_their_transform() {
    let folder = folder("sounds");
    for (class, step) in [("low", 20), ("high", 3)] {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        fs::create_dir_all(folder.join(class)).unwrap();
        let mut file = hound::WavWriter::create(folder.join(class).join("1.wav"), spec).unwrap();
        (0..2000).for_each(|i| file.write_sample(if i / step % 2 == 0 { 8000i16 } else { -8000 }).unwrap());
        file.finalize().unwrap();
    }
    let data = "[data]\naudio_folder = \".\"\nrate = 8000\nseconds = 0.5\n";
    let mfcc = format!("{data}transform = {{ name = \"mfcc\", coefficients = 5, mels = 20, window = 200, hop = 80 }}");
    // 4000 samples: 1 + 4000 / 80 frames.
    let set = sets(&folder, &mfcc, "[5, 51]").unwrap().train;
    assert_eq!((set.len(), set.shape()), (2, &[5, 51][..]));
    let text = sets(&folder, &mfcc, "[5, 50]").unwrap_err();
    assert_eq!(
        text,
        "model.toml:7: `model.input`: the model takes [5, 50], a clip of 0.5 s gives [5, 51]; change the input or the transform"
    );
    let wave = format!("{data}transform = {{ name = \"waveform\" }}");
    let waves = collect(&sets(&folder, &wave, "[1, 4000]").unwrap().train, 1 << 20).unwrap();
    assert_eq!((waves.features[0], waves.features[5], waves.features[2000]), (0.24414063, -0.24414063, 0.0));
    let text = sets(&folder, &data.replace("8000", "16000"), "[13, 51]").unwrap().train.into_memory(1 << 20);
    assert!(text.unwrap_err().to_string().contains("1.wav: expected 16000 Hz, found 8000 Hz"));
    let text = sets(&folder, &mfcc.replace("mfcc", "mfc"), "[5, 51]").unwrap_err();
    assert!(text.ends_with("unknown transform `mfc`; did you mean `mfcc`?"), "{text}");
    let text = sets(&folder, &mfcc.replace("hop", "hopp"), "[5, 51]").unwrap_err();
    assert!(text.contains("model.toml:5: unknown key `data.transform.hopp`; did you mean `hop`?"), "{text}");
}

#[test]
fn a_tokenizer_sees_the_training_part_alone() {
    let folder = folder("texts");
    let rows: String = (0..20).map(|i| format!("{},word{i} common\n", ["bad", "good"][i % 2])).collect();
    write(&folder, "reviews.csv", format!("label,review\n{rows}"));
    let data = "[data]\nfile = \"reviews.csv\"\ntext = \"review\"\nlabel = { class = \"label\" }\ntest = { by = \
                \"fraction\", share = 0.5 }\ntokenizer = { name = \"word\", vocabulary = 100 }";
    let parts = sets(&folder, data, "[3]").unwrap();
    // Ten words of its own, the common one and the unknown one.
    assert_eq!(parts.tokenizer.unwrap().len(), 12);
    let test = collect(&parts.test.unwrap(), 1 << 20).unwrap();
    // Every first word is unknown (token 0, so number 1), and the third place is filled up.
    assert!(test.features.chunks(3).all(|x| x[0] == 1.0 && x[1] > 1.0 && x[2] == 0.0), "{:?}", test.features);

    for (path, text) in [("pos/1.txt", "fine film"), ("neg/1.txt", "dull film"), ("unsup/1.txt", "film")] {
        write(&folder, &format!("aclImdb/train/{path}"), text);
        write(&folder, &format!("aclImdb/test/{path}"), text);
    }
    let parts = sets(&folder, "[data]\ntext_folder = \"aclImdb\"", "[2]").unwrap();
    assert_eq!((parts.train.len(), classes(parts.test.unwrap().source())), (2, vec![0, 1]));
    write(&folder, "aclImdb/test/pos/1.txt", [0xff, 0xfe]);
    let text = sets(&folder, "[data]\ntext_folder = \"aclImdb\"", "[2]").unwrap_err();
    assert!(text.contains("1.txt: byte 0: expected text in UTF-8"), "{text}");
}

#[test]
fn a_corpus_is_windows_of_its_parts() {
    let folder = folder("corpus");
    write(&folder, "book.txt", "abcdefghijklmnopqrstuvwxyz".repeat(4));
    let data = "[data]\ncorpus = \"book.txt\"\ntest = { by = \"tail\", share = 0.25 }\n";
    let parts = sets(&folder, data, "[8]").unwrap();
    // 78 of 104 tokens: windows at 0, 8, … 64, each with the token after it; of 26 those at 0, 8 and 16.
    assert_eq!((parts.train.len(), parts.test.as_ref().unwrap().len()), (9, 3));
    let set = collect(parts.test.unwrap().source(), 1 << 20).unwrap();
    assert_eq!(set.features[..3], [97.0, 98.0, 99.0]);
    let Labels::Tokens { ids, length, names } = &set.labels else { panic!() };
    assert_eq!((&ids[..3], *length, names.len()), (&[98, 99, 100][..], 8, 256));
    let characters = format!("{data}tokenizer = {{ name = \"char\" }}\nstride = 1");
    let parts = sets(&folder, &characters, "[8]").unwrap();
    assert_eq!((parts.train.len(), parts.tokenizer.unwrap().len()), (70, 27));
    let text = sets(&folder, &data.replace("tail", "fraction"), "[8]").unwrap_err();
    assert!(text.starts_with("model.toml:3: `data.test`: a corpus is divided by head or tail"), "{text}");
    let text = sets(&folder, &format!("{data}tokenizer = {{ name = \"bite\" }}"), "[8]").unwrap_err();
    assert_eq!(text, "model.toml:4: `data.tokenizer.name`: unknown tokenizer `bite`; did you mean `byte`?");
    let both = format!("{data}validation = {{ by = \"head\", share = 0.5 }}");
    let parts = sets(&folder, &both, "[8]").unwrap();
    assert_eq!((parts.train.len(), parts.validation.unwrap().len(), parts.test.unwrap().len()), (4, 4, 3));
}

#[test]
fn a_stream_is_what_loading_gives() {
    let folder = folder("stream");
    let rows: String = (0..50).map(|i| format!("{i},{},{}\n", i * i, ["u", "v"][i % 2])).collect();
    write(&folder, "x.csv", format!("a,b,label\n{rows}"));
    let data = "[data]\nfile = \"x.csv\"\nlabel = { class = \"label\" }\ntest = { by = \"stratified\", share = 0.2 }";
    let loaded = sets(&folder, data, "[2]").unwrap();
    let streamed = sets(&folder, &format!("{data}\nstream = true"), "[2]").unwrap();
    assert!(loaded.train.in_memory() && !streamed.train.in_memory());
    for (a, b) in [(loaded.train, streamed.train), (loaded.test.unwrap(), streamed.test.unwrap())] {
        let (a, b) = (collect(&a, 1 << 20).unwrap(), collect(&b, 1 << 20).unwrap());
        assert_eq!((a.features, a.labels), (b.features, b.labels));
    }
    assert!(folder.join("x.pack").is_file());
    let text = sets(&folder, &format!("{data}\nstream = true\ncategorical = [\"a\"]"), "[2]").unwrap_err();
    assert!(text.starts_with("model.toml:1: `data`: a stream is read as it is"), "{text}");
    // Rows of a pack have no recording and no group.
    let rows = data.replace("label =", "recording = \"b\"\nlabel =");
    for (rule, by) in [("\"tail\"", "the head or tail of each recording"), ("\"group\", columns = [\"b\"]", "groups")] {
        let rows = rows
            .replace("\"stratified\"", rule)
            .replace("recording", if by == "groups" { "groups" } else { "recording" });
        let rows = rows.replace("groups = \"b\"", "groups = [\"b\"]");
        let text = sets(&folder, &format!("{rows}\nstream = true"), "[1]").unwrap_err();
        assert!(text.starts_with(&format!("model.toml:5: a stream can't be split by {by}")), "{text}");
    }
    let windowed = format!("{data}\nstream = true\nwindow = {{ length = 2 }}").replace("stratified", "tail");
    let text = sets(&folder, &windowed, "[2]").unwrap_err();
    assert!(text.starts_with("model.toml:6: `data.window`: a stream has no windows"), "{text}");
}

#[test]
fn augmentation_is_for_the_training_part_and_its_kind_of_sample() {
    let folder = folder("augmentation");
    write(&folder, "x.csv", "a,b,label\n1,2,u\n3,4,v\n5,6,u\n7,8,v\n");
    let data = "[data]\nfile = \"x.csv\"\nlabel = { class = \"label\" }\n[augmentation]\n";
    let augmented = |changes: &str, input| {
        let spec = spec(&folder, &format!("{data}{changes}"), input)?;
        let sets = spec.load_sets().map_err(|error| error.to_string())?;
        spec.augmented(&sets.train, None, 1).map_err(|error| error.to_string())
    };
    let set = augmented("jitter = 0.1", "[1, 2]").unwrap();
    let mut values = [0.0; 2];
    set.read(Draw { indices: &[0], epoch: Some(1) }, &mut values).unwrap();
    assert!(values != [1.0, 2.0] && (values[0] - 1.0).abs() < 0.7);
    set.read(Draw { indices: &[0], epoch: None }, &mut values).unwrap();
    assert_eq!(values, [1.0, 2.0]);

    let wrong = |changes, input| augmented(changes, input).unwrap_err();
    assert_eq!(
        wrong("mixup = 0.2\nrotate = 5", "[1, 2]"),
        "model.toml:6: `augmentation.rotate`: expected samples of shape [channels, height, width]; the samples have shape [1, 2]"
    );
    assert!(wrong("jiter = 0.1", "[1, 2]").contains("unknown key `augmentation.jiter`; did you mean `jitter`?"));
    assert!(
        wrong("scale = [1.2, 0.8]", "[1, 2]").starts_with("model.toml:5: `augmentation.scale`: expected [from, to]")
    );
    assert!(wrong("time_warp = 1.5", "[1, 2]").contains("expected a share from 0 to below 1, found 1.5"));
    assert!(wrong("flip_horizontal = \"often\"", "[1, 2]").contains("true, false or a probability from 0 to 1"));
}

/// Half of the bytes are short words, half one long word that is there ten times: of the tokens the first half is shorter.
#[test]
fn a_corpus_tokenizer_sees_the_training_part_alone() {
    let folder = folder("corpus-tokenizer");
    let (short, long) = ("ab cd ".repeat(20), "incomprehen ".repeat(10));
    assert_eq!((short.len(), long.len()), (120, 120));
    write(&folder, "one.txt", &short);
    write(&folder, "two.txt", &long);
    let data = |part: &str, tokenizer: &str| {
        format!("[data]\ncorpus = [\"one.txt\", \"two.txt\"]\ntest = {part}\ntokenizer = {tokenizer}\nstride = 1")
    };
    let (tail, head) = ("{ by = \"tail\", share = 0.5 }", "{ by = \"head\", share = 0.5 }");
    let word = "{ name = \"word\", vocabulary = 100 }";
    let numbers = |set: Option<&dyn Source>| collect(set.unwrap(), 1 << 20).unwrap().features;
    for (part, names, windows) in
        [(tail, &["<unk>", "ab", "cd"][..], [38, 8]), (head, &["<unk>", "incomprehen"], [8, 38])]
    {
        let parts = sets(&folder, &data(part, word), "[2]").unwrap();
        assert_eq!(parts.tokenizer.unwrap().names(), names);
        // Forty short words and ten long ones; windows of two and the token after them.
        assert_eq!([parts.train.len(), parts.test.as_ref().unwrap().len()], windows);
        assert!(numbers(Some(&parts.train)).iter().all(|&token| token > 0.0));
        assert!(numbers(parts.test.as_ref().map(Set::source)).iter().all(|&token| token == 0.0), "all are unknown");
    }
    // Three eighths of the 240 bytes are 90; a fifth of the other 150 is 30, so that 120 are left.
    let three =
        format!("{}\nvalidation = {{ by = \"tail\", share = 0.2 }}", data("{ by = \"tail\", share = 0.375 }", word));
    let parts = sets(&folder, &three, "[2]").unwrap();
    assert_eq!(parts.tokenizer.unwrap().names(), ["<unk>", "ab", "cd"]);
    // Bytes 120 to 150: two long words and half of one.
    assert_eq!((parts.train.len(), parts.validation.unwrap().len(), parts.test.unwrap().len()), (38, 1, 6));
    let chars = sets(&folder, &data(tail, "{ name = \"char\" }"), "[2]").unwrap();
    assert_eq!(chars.tokenizer.unwrap().names(), ["<unk>", " ", "a", "b", "c", "d"]);
}

#[test]
fn a_class_that_was_never_trained_is_refused_of_streams_and_media() {
    let folder = folder("unseen");
    let unseen = |data: &str, input, class: &str, part: &str| {
        let text = sets(&folder, data, input).unwrap_err();
        let expected = format!(
            "class `{class}` is in the {part} part, but the training part has no sample of it; divide otherwise"
        );
        assert!(text.starts_with("model.toml:1: ") && text.contains(&expected), "{text}");
    };
    write(&folder, "x.csv", "a,label\n1,u\n2,u\n3,u\n4,v\n");
    let table = "[data]\nfile = \"x.csv\"\nlabel = { class = \"label\" }\ntest = { by = \"tail\", share = 0.25 }\n";
    unseen(table, "[1]", "v", "test");
    unseen(&format!("{table}stream = true"), "[1]", "v", "test");
    // Whoever names it means it.
    let named = format!("{table}stream = true\nclasses = [\"u\", \"v\"]");
    assert_eq!(sets(&folder, &named, "[1]").unwrap().train.len(), 3);

    // Files are in the order of their classes.
    (0..2).for_each(|i| picture(&folder, &format!("set/dark/{i}.png"), 1));
    (0..2).for_each(|i| picture(&folder, &format!("set/light/{i}.png"), 2));
    let pictures = "[data]\nimage_folder = \"set\"\nvalidation = { by = \"head\", share = 0.5 }\n";
    unseen(pictures, "[3, 4, 4]", "dark", "validation");
    assert!(sets(&folder, &format!("{pictures}classes = [\"dark\", \"light\"]"), "[3, 4, 4]").is_ok());
    write(&folder, "reviews.csv", "label,review\npos,good\npos,fine\nneg,dull\nneg,bad\n");
    let texts = "[data]\nfile = \"reviews.csv\"\ntext = \"review\"\nlabel = { class = \"label\" }\ntest = { by = \
                 \"tail\", share = 0.5 }\ntokenizer = { name = \"word\", vocabulary = 100 }";
    unseen(texts, "[1]", "neg", "test");

    write(&folder, "images", [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1][..], &[7, 8, 9]].concat());
    write(&folder, "labels", [0, 0, 8, 1, 0, 0, 0, 3, 0, 0, 1]);
    let idx =
        "[data]\nimages = \"images\"\nlabels = \"labels\"\nstream = true\ntest = { by = \"tail\", share = 0.3334 }";
    let text = sets(&folder, idx, "[1, 1, 1]").unwrap_err();
    assert!(text.contains("the training part has no sample of it; divide otherwise, or name all `classes`"), "{text}");
    assert!(sets(&folder, &format!("{idx}\nclasses = [\"off\", \"on\"]"), "[1, 1, 1]").is_ok());
}

#[test]
fn a_fixed16_device_reads_integers_of_streams_and_media_too() {
    let folder = folder("integers");
    let constants = |data: &str, input: &str| {
        let spec = spec(&folder, data, &format!("{input}\nformat = \"fixed16\"")).unwrap();
        let sets = spec.load_sets().map_err(|error| error.to_string())?;
        spec.fit_sets(&sets).map_err(|error| error.to_string())
    };
    let expected = "expected a whole number from -32768 to 32767, which is what a fixed16 device reads, found 2.5; choose a \
                    unit that makes it whole with `scale` in [preprocessing], or take format = \"f32\"";
    write(&folder, "x.csv", "a,b,label\n1,2,u\n3,2.5,v\n");
    for stream in ["", "stream = true\n"] {
        let data = format!("[data]\nfile = \"x.csv\"\nlabel = {{ class = \"label\" }}\n{stream}");
        let text = constants(&data, "[2]").unwrap_err();
        assert!(text.ends_with(expected), "{text}");
        assert!(constants(&format!("{data}[preprocessing]\nscale = 2"), "[2]").unwrap().is_some());
        // Nothing is scaled on the device: whatever feeds it has done so.
        assert!(constants(&format!("{data}[preprocessing]\nscaling = \"none\""), "[2]").unwrap().is_none());
    }
    (0..2).for_each(|i| picture(&folder, &format!("set/{i}/1.png"), i * 5));
    let pictures = "[data]\nimage_folder = \"set\"\n";
    assert!(constants(pictures, "[3, 4, 4]").unwrap().is_some());
    let text = constants(&format!("{pictures}[preprocessing]\nscale = 0.5"), "[3, 4, 4]").unwrap_err();
    assert!(text.contains("sample:0: column `32`: expected a whole number") && text.contains("found 127.5"), "{text}");

    let wave =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    for class in ["a", "b"] {
        fs::create_dir_all(folder.join("words").join(class)).unwrap();
        let mut file = hound::WavWriter::create(folder.join("words").join(class).join("1.wav"), wave).unwrap();
        (0..8i16).for_each(|i| file.write_sample(i * 4096 - 16384).unwrap());
        file.finalize().unwrap();
    }
    let sounds =
        "[data]\naudio_folder = \"words\"\nrate = 8000\nseconds = 0.001\ntransform = { name = \"waveform\" }\n";
    assert!(constants(sounds, "[1, 8]").unwrap_err().contains("found -0.5"));
    // What the converter gave.
    let fitted = constants(&format!("{sounds}[preprocessing]\nscale = 32768"), "[1, 8]").unwrap().unwrap();
    assert_eq!(fitted.mean, [-2048.0]);
}

#[test]
fn parquet_streams_too() {
    let folder = folder("parquet-stream");
    let table = include_bytes!("../src/data/fixtures/types.parquet");
    // By its first bytes, whatever its name.
    for name in ["x.parquet", "y.csv"] {
        write(&folder, name, table);
        let data = format!("[data]\nfile = \"{name}\"\nlabel = {{ class = \"kind\" }}\nfeatures = [\"i8\", \"f64\"]\n");
        let loaded = collect(&sets(&folder, &data, "[2]").unwrap().train, 1 << 20).unwrap();
        let streamed = sets(&folder, &format!("{data}stream = true"), "[2]").unwrap().train;
        assert!(!streamed.in_memory());
        let streamed = collect(&streamed, 1 << 20).unwrap();
        assert_eq!((streamed.features.len(), &streamed.features), (10, &loaded.features));
        assert_eq!(streamed.labels, loaded.labels);
    }
}
