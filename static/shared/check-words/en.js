/** Check words (docs/protocol.md "The check"): 256, whose place counts. Things that are easy to say and do not sound alike. */

export default `
  album anchor apple apricot april armchair artist avocado badger balloon bamboo banana barrel beaver beehive bicycle
  blossom blueberry bookcase bread bridge broom buffalo building cabbage cabin cactus camera campfire caramel carrot
  castle chalk chapel cheese cherry chestnut chocolate cinema circus clarinet clover coconut coffee comet compass
  concert cookie cottage cricket crocodile crown crystal cupcake cushion daisy dancer dandelion diamond dolphin donkey
  doorbell elephant emerald engine farmer festival fireplace flamingo flute football forest frog furniture galaxy garage
  garden garlic giraffe goldfish gondola gorilla granite guitar hammock handbag harbour harvest hedgehog iceberg igloo
  island jaguar jasmine jelly jigsaw jungle kangaroo kettle keyboard kitchen koala lantern lavender lemonade leopard
  letter library lilac lizard lunch mango marble marigold market marmalade melody meteor midnight milk mirror mitten
  mosaic mountain mouse muffin museum mushroom mustard napkin nest notebook november nutmeg oasis oatmeal ocean octopus
  omelette onion orange orchid ostrich palace pancake paper pasta peach peacock peanut pebble pelican pencil penguin
  photo piano picnic picture pigeon pilot pineapple platform pocket postcard pretzel propeller pumpkin puppet puzzle
  pyramid rabbit radish railway rainbow raisin raspberry raven rhubarb ribbon rooster ruby rucksack sailor salad salmon
  sandal sandbox sandwich sardine saucepan scarf school scissors seagull silver sketch slipper snow sofa songbook
  spaniel sparrow spinach spoon squirrel starfish station stone stream sugar suitcase summer sunflower swan syrup teapot
  teaspoon telescope temple tennis timber toast tomato torch tortoise tractor train treasure triangle trolley trumpet
  tugboat tunnel turtle umbrella uniform valley velvet veranda village vinegar violin voyage waffle wallpaper walrus
  wardrobe waterfall whistle windmill window winter wolf yellow yoghurt zebra
`.trim().split(/\s+/);
