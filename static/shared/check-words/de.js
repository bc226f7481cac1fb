/** Prüfwörter (docs/protocol.md "The check"): 256, deren Platz zählt. Dinge, die sich gut sprechen lassen und nicht ähnlich klingen. */

export default `
  Album Allee Ameise Amsel Ananas Antenne April Arena Armband Atlas Automat Bagger Bahnhof Ballon Bambus Banane Baumhaus
  Bergwerk Bernstein Birne Bleistift Bluse Bogen Bonbon Boot Brezel Brief Brunnen Bumerang Busch Butter Cello Dampfer
  Delfin Diamant Distel Domino Drachen Dreieck Drossel Eidechse Eisberg Elefant Elster Erdbeere Ernte Europa Fackel
  Fagott Fahne Fasan Festival Flieder Flohmarkt Forelle Frosch Fuchs Galerie Garten Gazelle Gebirge Geschenk Giraffe
  Gitarre Gletscher Globus Glocke Gondel Granit Hamster Harfe Hemd Herbst Himbeere Hirsch Honig Horizont Hotel Iglu
  Imker Ingwer Januar Jasmin Juwel Kabine Kaktus Kalender Kanal Kanister Karotte Karussell Kastanie Keks Kette Kissen
  Klavier Kleid Knopf Kolibri Komet Kompass Konzert Korken Krawatte Krone Kuchen Kupfer Kutsche Laterne Lavendel
  Leiter Leopard Libelle Licht Lilie Limonade Lineal Lorbeer Magnet Makrele Mantel Marathon Markt Marmor Matrose
  Maulwurf Melone Meteor Mittag Mosaik Muschel Museum Nachbar Narzisse Nashorn Nelke Nilpferd Nordpol Nuss Oktober Olive
  Orange Orchester Ostern Ozean Paddel Palast Panda Papagei Papier Paprika Pauke Pelikan Perle Pfau Pfeife Pferd
  Pfirsich Pflaume Pilot Pinguin Pinsel Pistazie Planet Pony Posaune Postbote Pralinen Propeller Pullover Puzzle
  Pyramide Quadrat Quark Quelle Radio Rahmen Rathaus Regal Reifen Rentier Rettich Rikscha Roboter Rosine Rubin Rucksack
  Ruder Safran Salz Sandale Saxofon Schach Schaukel Schirm Schmied Schnee Schublade Schwan Seide Senf September
  Serviette Sessel Silber Sommer Spargel Specht Spinat Stempel Sternbild Stiefel Storch Strand Tapete Tasche Taxi
  Teekanne Teller Tennis Teppich Terrasse Thron Toaster Tomate Traktor Traube Trommel Trompete Tulpe Tunnel Uniform
  Urwald Vanille Veranda Video Vollmond Vorhang Waffel Walnuss Wasser Weltall Wiese Windrad Winter Wolle Wombat Wurzel
  Zahnrad Zelt Zeppelin Zirkus Zitrone Zucker Zwerg Zylinder
`.trim().split(/\s+/);
