//! Pictures that a small network tells apart.

use super::Folder;
use image::{ImageFormat, Rgb, RgbImage};

/// So many of each class in a part: a bar of 12 by 12 pixels that stands or lies, anywhere, on noise.
pub fn pictures(folder: &Folder, part: &str, count: u32) {
    for (class, standing) in [("lying", false), ("standing", true)] {
        std::fs::create_dir_all(folder.path(&format!("{part}/{class}"))).unwrap();
        for i in 0..count {
            let place = 2 + (i * 7 + count) % 8;
            let picture = RgbImage::from_fn(12, 12, |x, y| {
                let noise = emberlite_host::data::random::hash(u64::from(i), u64::from(x * 12 + y)) % 60;
                let on = if standing { x } else { y } / 2 == place / 2;
                Rgb([noise as u8 + if on { 190 } else { 0 }; 3])
            });
            let path = folder.path(&format!("{part}/{class}/{i}.png"));
            picture.save_with_format(path, ImageFormat::Png).unwrap();
        }
    }
}

/// Learns them.
pub const MODEL: &str = r#"name = "bars"
[data]
image_folder = "photos"
[augmentation]
flip_horizontal = true
crop = 1
brightness = 0.2
mixup = 0.1
[model]
input = [1, 12, 12]
layers = [
    { op = "conv2d", channels = 4, kernel = 3 },
    { op = "relu" },
    { op = "max_pool2d", window = 2 },
    { op = "flatten" },
    { op = "linear", outputs = 2 },
]
[training]
optimizer = { name = "adam", learning_rate = 0.01 }
batch = 8
epochs = 6
device = "cpu"
[device]
training = { optimizer = { name = "sgd", learning_rate = 0.01 } }
"#;
